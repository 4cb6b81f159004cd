/** The commands. */
import { Command, CommanderError } from 'commander';
import { manifest } from '../package/packages.js';
import { withCommand } from './aliases.js';
import { addArchive } from './archive.js';
import { addBulk } from './bulk.js';
import { addCompletion } from './completion.js';
import { addCompress } from './compress.js';
import { addDecompress } from './decompress.js';
import { addDesktop } from './desktop.js';
import { addFlow } from './flow.js';
import { addInfo } from './info.js';
import { addLab } from './lab.js';
import { addLikelihood } from './likelihood.js';
import { print, say } from './report.js';
import { addTrain } from './train.js';
import { addVerify } from './verify.js';
import { addWeb } from './web.js';

const { version } = await manifest();

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
  cnfzip -tq *.cnfz           exit code 0 if all are whole
  cnfzip < a.png > a.cnfz     in a pipe; cnfzip -d undoes it`,
    )
    .showHelpAfterError('(--help shows the usage)')
    .configureOutput({
      writeOut: (text) => lines.push(...linesOf(text)),
      writeErr: (text) => linesOf(text).forEach(say),
    })
    .exitOverride();

  program.hook('preAction', (_, command) => refuseEmpty(command));

  addCompress(program);
  addDecompress(program);
  addVerify(program);
  addInfo(program);
  addLikelihood(program);
  addTrain(program);
  addLab(program, version);
  addFlow(program);
  addBulk(program);
  addArchive(program);
  addWeb(program);
  addDesktop(program);
  addCompletion(program);

  try {
    await program.parseAsync(await withCommand(words, program), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
  await print(...lines);
}

/** What a script's variable that is not set gives would pass for an option left out: the result would go elsewhere. */
function refuseEmpty(command: Command): void {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
  const empty = given.find((option) => command.getOptionValue(option.attributeName()) === '');
  if (empty) command.error(`error: option '${empty.flags}' is given nothing`);
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}
