/** `cnfzip desktop`: tells other programs of this one. */

import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { Argument, type Command } from 'commander';
import { type Program, programs } from '../desktop/programs.js';
import { thumbnail } from '../desktop/thumbnail.js';
import { CnfzipError } from '../index.js';
import { makeFolder } from '../io/files/folders.js';
import { exists, readInput } from '../io/files/read.js';
import { statesOf } from '../io/files/state.js';
import { writeFileAtomic, writeInPlace } from '../io/files/write.js';
import { addLimits, addModel, type CommonOptions, codecOptions, integer } from './options.js';
import { print, reportError, reported, say } from './report.js';

const NAMES: readonly Program['name'][] = ['mime', 'thumbnailer', 'magic', 'imagemagick'];

export function addDesktop(program: Command): void {
  const desktop = program.command('desktop').description('let file managers, file and ImageMagick know .cnfz files');

  desktop
    .command('install')
    .description('write what they read, for this user; nothing is replaced')
    .option('-f, --force', 'replace files that are there')
    .action(async ({ force }: { force?: boolean }) => {
      for (const each of told()) await installed(each, force ?? false);
    });

  desktop
    .command('show')
    .description('print what install writes for one of them')
    .addArgument(new Argument('<which>').choices(NAMES))
    .action(async (which: string) => {
      for (const { name, text } of told()) if (name === which) await print(...text.trimEnd().split('\n'));
    });

  addLimits(
    addModel(
      desktop
        .command('thumbnail')
        .description('write a small PNG of a .cnfz file, of which no more is read than that needs')
        .argument('<file>')
        .argument('<thumbnail>', 'the PNG; one that is there is replaced')
        .option('--size <n>', 'longer side in pixels, at most', integer(1, 65536), 128),
    ),
  ).action((path: string, target: string, { size, ...options }: CommonOptions & { size: number }) =>
    reported(path, options, async () => {
      // Into the file that is there: whoever asks for a thumbnail may have it open already (Tumbler does) and read on from there.
      const inputs = await statesOf([path]);
      await writeInPlace(target, await thumbnail(path, size, codecOptions(options)), { inputs });
    }),
  );
}

/** The programs to be told, or a line why they cannot be. */
function told(): Program[] {
  try {
    return programs();
  } catch (error) {
    reportError('desktop', error, false);
    return [];
  }
}

function installed({ name, reader, path, text }: Program, force: boolean): Promise<void> {
  return reported(path, {}, async () => {
    const before = (await exists(path)) ? new TextDecoder().decode(await readInput(path)) : undefined;
    if (before !== text) {
      if (before !== undefined && !force) {
        throw new CnfzipError(
          'file',
          `it exists already: add to it what cnfzip desktop show ${name} prints, or replace it (-f)`,
        );
      }
      await makeFolder(dirname(path));
      await writeFileAtomic(path, new TextEncoder().encode(text), { force });
    }
    if (name === 'mime') await updateMime(dirname(dirname(path)));
    say(`${reader}: ${path}${before === text ? ', as it was' : ''}`);
  });
}

/** Makes the database anew of which file managers read. */
async function updateMime(folder: string): Promise<void> {
  const failed = await new Promise<string | undefined>((resolve) => {
    const child = spawn('update-mime-database', [folder], { stdio: 'ignore' });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(code === 0 ? undefined : `exit code ${code}`));
  });
  if (failed !== undefined) say(`cnfzip: warning: update-mime-database ${folder} did not run: ${failed}`);
}
