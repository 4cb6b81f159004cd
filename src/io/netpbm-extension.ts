/** What Netpbm files are called, without a format that needs sharp: browsers write them, too. */
import type { Image } from '../../codec/image.js';
import type { FileInfo } from '../../codec/info.js';
import { isTransparency } from './expand.js';

/** What decides it. */
export type Kind = Pick<FileInfo, 'channels' | 'paletteColours' | 'metadata'>;

/** What `info` would tell of an image. */
export function kindOf({ channels, palette, metadata = [] }: Image): Kind {
  return {
    channels,
    paletteColours: (palette?.length ?? 0) / 3,
    metadata: metadata.map(({ type, data }) => ({ type, bytes: data.length })),
  };
}

/** The extension of what `encodeNetpbm` makes of an image, which spells out palette and transparency; with its dot. */
export function netpbmExtension({ channels, paletteColours, metadata }: Kind): '.pam' | '.ppm' | '.pgm' {
  const transparent = metadata.some(
    ({ type, bytes }) => type === 'tRNS' && isTransparency(bytes, channels, paletteColours),
  );
  if (channels % 2 === 0 || transparent) return '.pam';
  return channels === 3 || paletteColours > 0 ? '.ppm' : '.pgm';
}
