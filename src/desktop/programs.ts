/** What other programs are told of cnfzip: files of theirs, in the folders where they look for what a user adds. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { CnfzipError } from '../../codec/error.js';
import { MAIN } from '../package/packages.js';

/** A program that is told. */
export interface Program {
  readonly name: 'mime' | 'thumbnailer' | 'magic' | 'imagemagick';
  /** Who reads the file. */
  readonly reader: string;
  readonly path: string;
  readonly text: string;
}

/**
 * The programs that can be told, with the files that tell them.
 *
 * @throws CnfzipError `unsupported` if these files cannot name this program
 */
export function programs(): Program[] {
  const command = [process.execPath, MAIN];
  // What would need another escape in each of the files.
  const odd = command.find((word) => /["'`$\\%&<>\n]/.test(word));
  if (odd !== undefined)
    throw new CnfzipError('unsupported', `no other program can call ${odd}: its path has odd characters`);
  const data = folder('XDG_DATA_HOME', '.local', 'share');
  const config = folder('XDG_CONFIG_HOME', '.config');
  return [
    {
      name: 'mime',
      reader: 'file managers (shared-mime-info)',
      path: join(data, 'mime', 'packages', 'cnfzip.xml'),
      text: MIME,
    },
    {
      name: 'thumbnailer',
      reader: 'file managers (thumbnails)',
      path: join(data, 'thumbnailers', 'cnfzip.thumbnailer'),
      text: thumbnailer(command),
    },
    { name: 'magic', reader: 'file', path: join(homedir(), '.magic'), text: MAGIC },
    {
      name: 'imagemagick',
      reader: 'ImageMagick',
      path: join(config, 'ImageMagick', 'delegates.xml'),
      text: delegates(command),
    },
  ];
}

/** The folder that a variable names, as the XDG Base Directory Specification says: an absolute path, or it is not set. */
function folder(variable: string, ...usual: string[]): string {
  const named = process.env[variable];
  return named?.startsWith('/') ? named : join(homedir(), ...usual);
}

/** See magic(5). */
const MAGIC = `# cnfzip
0 belong 0xcf5a0d0a cnfzip image
!:mime image/x-cnfz
!:ext cnfz
>4 byte x \\b, format version %d
0 belong 0xcf410d0a cnfzip archive of images
!:mime application/x-cnfzip-archive
!:ext cnfa
>4 byte x \\b, version %d
`;

const MIME = `<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="image/x-cnfz">
    <comment>cnfzip image</comment>
    <magic priority="60"><match type="big32" value="0xcf5a0d0a" offset="0"/></magic>
    <glob pattern="*.cnfz"/>
  </mime-type>
  <mime-type type="application/x-cnfzip-archive">
    <comment>cnfzip archive of images</comment>
    <magic priority="60"><match type="big32" value="0xcf410d0a" offset="0"/></magic>
    <glob pattern="*.cnfa"/>
  </mime-type>
</mime-info>
`;

function thumbnailer(command: readonly string[]): string {
  return `[Thumbnailer Entry]
TryExec=${command[0]}
Exec=${command.map((word) => `"${word}"`).join(' ')} desktop thumbnail --size %s %i %o
MimeType=image/x-cnfz;
`;
}

function delegates(command: readonly string[]): string {
  const program = command.map((word) => `&quot;${word}&quot;`).join(' ');
  return `<?xml version="1.0" encoding="UTF-8"?>
<delegatemap>
  <delegate decode="cnfz" command="${program} decompress -qf --format png -o &quot;%o&quot; &quot;%i&quot;"/>
  <delegate decode="png" encode="cnfz" command="${program} compress -qf -o &quot;%o&quot; &quot;%i&quot;"/>
</delegatemap>
`;
}
