/** The commands. */
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { readInput } from '../io/files/read.js';
import { withCommand } from './aliases.js';
import { addCompletion } from './completion.js';
import { addCompress } from './compress.js';
import { addDecompress } from './decompress.js';
import { addInfo } from './info.js';
import { addLab } from './lab.js';
import { addLikelihood } from './likelihood.js';
import { print, say } from './report.js';
import { addTrain } from './train.js';
import { addVerify } from './verify.js';
import { addWeb } from './web.js';

const manifest = await readInput(fileURLToPath(new URL('../../../package.json', import.meta.url)));
const { version } = JSON.parse(new TextDecoder().decode(manifest)) as { version: string };

/** Runs a command line, without the program's name; sets the exit code. */
export async function run(words: readonly string[]): Promise<void> {
  const lines: string[] = [];
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
    .configureOutput({
      writeOut: (text) => lines.push(...linesOf(text)),
      writeErr: (text) => linesOf(text).forEach(say),
    })
    .exitOverride();

  addCompress(program);
  addDecompress(program);
  addVerify(program);
  addInfo(program);
  addLikelihood(program);
  addTrain(program);
  addLab(program, version);
  addWeb(program);
  addCompletion(program);

  try {
    await program.parseAsync(withCommand(words, ['-h', '--help', '-V', '--version']), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
  await print(...lines);
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}
