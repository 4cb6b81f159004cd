#!/usr/bin/env node
/** The command line. Exit code 0: all went well; 1: a file failed; 2: the command line was wrong. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { withCommand } from './aliases.js';
import { addCompletion } from './completion.js';
import { addCompress } from './compress.js';
import { addDecompress } from './decompress.js';
import { addInfo } from './info.js';
import { addLab } from './lab.js';
import { addLikelihood } from './likelihood.js';
import { addTrain } from './train.js';
import { addVerify } from './verify.js';

const manifest = new URL('../../../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };

const program = new Command('cnfzip')
  .description('Lossless image compression with a continuous normalizing flow.')
  .version(version)
  .addHelpText(
    'after',
    `
Without a command, files are compressed; -d decompresses, -t verifies and -l lists them:
  cnfzip photo.png            photo.cnfz beside it
  cnfzip -d photo.cnfz        photo.png again
  cnfzip -t -q *.cnfz         exit code 0 if all are whole`,
  )
  .showHelpAfterError('(--help shows the usage)')
  .exitOverride();

addCompress(program);
addDecompress(program);
addVerify(program);
addInfo(program);
addLikelihood(program);
addTrain(program);
addLab(program, version);
addCompletion(program);

// A reader that goes away (`| head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  const general = ['-h', '--help', '-V', '--version'];
  await program.parseAsync(withCommand(process.argv.slice(2), general), { from: 'user' });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
