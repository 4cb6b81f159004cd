import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import type { BaseSpec, FieldSpec, StoredFlow } from '../cnf/stored.js';
import { filesBelow, isFolder } from '../io/files/folders.js';
import { readInput } from '../io/files/read.js';
import { type FileState, statesOf } from '../io/files/state.js';
import { requirePackages } from '../package/packages.js';
import type { NamedImage, PatchShape } from '../tables/images.js';
import type { ParseOptions, Table } from '../tables/table.js';
import { integer } from './options.js';
import { openOutput, type Target } from './output.js';
import { count, print, reportError, say } from './report.js';

interface OutputOption {
  output: string;
  force?: boolean;
}

interface FitOptions extends OutputOption {
  field: FieldSpec['kind'];
  hidden: number[];
  base: BaseSpec['kind'];
  freedom: number;
  components: number;
  steps: number;
  likelihood: number;
  seed: number;
  patch?: number;
  quiet?: boolean;
}

const TABLE = 'a file of numbers, or a folder of PNG files';
const PACKAGES = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm'];

export function addFlow(program: Command): void {
  const flow = program
    .command('flow')
    .description('continuous normalizing flows of tables and small images: fit, score, sample, encode, decode')
    .addHelpText(
      'after',
      `
A table is a text file of numbers, a row a line, separated by commas, semicolons, tabs or blanks; its first line may name the columns. Or it is a
folder of PNG files, below it too: a row is an image, all of one size, or with --patch a square of one.

Examples:
  cnfzip flow fit data.csv -o data.cnff            a flow of the rows
  cnfzip flow score data.cnff other.csv            log p of each row, in nats
  cnfzip flow sample data.cnff -n 1000 > new.csv
  cnfzip flow encode data.cnff data.csv -o data.cnfd
  cnfzip flow decode data.cnff data.cnfd -o again.csv   the same numbers, to the last digit
  cnfzip flow fit photographs --patch 4 -o patch.cnff   a flow of squares of 4 x 4 pixels`,
    );
  const output = (command: Command) =>
    command
      .requiredOption('-o, --output <file>', 'write to this file, or to standard output (-)')
      .option('-f, --force', 'replace an existing file');
  output(flow.command('fit').description('fit a flow to a table').argument('<table>', TABLE))
    .addOption(
      new Option('--field <kind>', 'free: any field; split: one whose steps are exact, which codes faster')
        .choices(['free', 'split'])
        .default('free'),
    )
    .option('--hidden <sizes>', 'units of the hidden layers, as 64,64', sizes, [64, 64, 64])
    .addOption(
      new Option(
        '--base <kind>',
        'what data is mapped on: student has heavy tails; learned and mixture are trained by --likelihood',
      )
        .choices(['normal', 'logistic', 'student', 'learned', 'mixture'])
        .default('normal'),
    )
    .option('--freedom <n>', 'degrees of freedom of Student’s t', integer(1, 1000), 3)
    .option('--components <n>', 'normal distributions of a mixture', integer(1, 256), 8)
    .option('--patch <n>', 'of images, squares of so many pixels a side', integer(1, 64))
    .option('--steps <n>', 'steps of flow matching', integer(1, 1_000_000), 2000)
    .option('--likelihood <n>', 'steps of maximum likelihood after them', integer(0, 1_000_000), 0)
    .option('--seed <n>', 'seed of all random numbers', integer(0, 0xffffffff), 1)
    .option('-q, --quiet', 'print nothing but errors')
    .action((table: string, options: FitOptions) => guarded(table, () => fitTo(table, options)));
  flow
    .command('score')
    .description('print the log-density of each row, in nats, as a density of the columns’ units')
    .argument('<flow>', 'a .cnff file')
    .argument('<table>', TABLE)
    .action((model: string, table: string) => guarded(table, () => score(model, table)));
  flow
    .command('sample')
    .description('print rows that the flow draws')
    .argument('<flow>', 'a .cnff file')
    .option('-n, --rows <n>', 'how many', integer(1, 10_000_000), 100)
    .option('--seed <n>', 'seed of all random numbers', integer(0, 0xffffffff), 1)
    .action((model: string, options: { rows: number; seed: number }) => guarded(model, () => sample(model, options)));
  output(
    flow
      .command('encode')
      .description('code a table under the flow, exactly: about -log2 p of its rows')
      .argument('<flow>', 'a .cnff file')
      .argument('<table>', `${TABLE}, with no more decimals than the flow was fitted to`),
  )
    .option('-q, --quiet', 'print nothing but errors')
    .action((model: string, table: string, options: OutputOption & { quiet?: boolean }) =>
      guarded(table, () => encode(model, table, options)),
    );
  output(
    flow
      .command('decode')
      .description('write the table that a .cnfd file holds')
      .argument('<flow>', 'the .cnff file that it was encoded with')
      .argument('<coded>', 'a .cnfd file'),
  ).action((model: string, coded: string, options: OutputOption) =>
    guarded(coded, () => decode(model, coded, options)),
  );
}

/** Hidden layers' sizes: `64,64`. */
function sizes(text: string): number[] {
  const found = text.split(',').map(Number);
  if (found.length > 8 || !found.every((size) => Number.isInteger(size) && size >= 1 && size <= 4096))
    throw new InvalidArgumentError('It must be 1 to 8 sizes of 1 to 4096, with commas between.');
  return found;
}

/** Tells of an error in one line, about the file that it concerns unless it names one itself. */
async function guarded(subject: string, work: () => Promise<void>): Promise<void> {
  try {
    await requirePackages('flows of tables', PACKAGES);
    const { loadWasmBackend } = await import('../train/backend.js');
    await loadWasmBackend();
    await work();
  } catch (error) {
    reportError(
      error instanceof OtherFile ? error.file : subject,
      error instanceof OtherFile ? error.cause : error,
      false,
    );
  }
}

/** An error of another file than the one that a command is about. */
class OtherFile extends Error {
  constructor(
    readonly file: string,
    override readonly cause: unknown,
  ) {
    super(file);
  }
}

async function readFlow(path: string): Promise<StoredFlow> {
  try {
    const { loadFlow } = await import('../cnf/stored.js');
    return loadFlow(await readInput(path));
  } catch (cause) {
    throw new OtherFile(path, cause);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readInput(path));
  } catch (error) {
    throw error instanceof TypeError ? new CnfzipError('bad-input', 'it is no text') : error;
  }
}

/** A table of numbers, or the patches of a folder's images. */
async function readTable(path: string, options: ParseOptions, patch?: PatchShape | number): Promise<Table> {
  if (await isFolder(path)) {
    const { imageTable } = await import('../tables/images.js');
    const { decodePng } = await import('../io/png.js');
    const images: NamedImage[] = [];
    for (const name of await imagesBelow(path)) {
      const file = join(path, name);
      try {
        images.push({ name, image: decodePng(await readInput(file)) });
      } catch (cause) {
        throw new OtherFile(file, cause);
      }
    }
    return imageTable(images, patch);
  }
  if (typeof patch === 'number')
    throw new CnfzipError('usage', 'patches (option --patch) are of a folder of PNG files');
  const { parseTable } = await import('../tables/table.js');
  return parseTable(await readText(path), options);
}

function imagesBelow(folder: string): Promise<string[]> {
  return filesBelow(folder, ['.png']);
}

/** The file of a table, or the files of a folder's images. */
async function filesOfTable(path: string): Promise<FileState[]> {
  if (!(await isFolder(path))) return statesOf([path]);
  return statesOf((await imagesBelow(path)).map((name) => join(path, name)));
}

/** Tells of a result, but not in the midst of it. */
function tell({ isFile }: Target, line: string): Promise<void> | void {
  return isFile ? print(line) : say(line);
}

/** A table for a flow that is there already: with its decimals, or of images with patches of its shape. */
async function readTableFor({ spec }: StoredFlow, path: string, rounds: boolean): Promise<Table> {
  const [{ columnsIn }, { shapeOfColumns }] = await Promise.all([
    import('../tables/columns.js'),
    import('../tables/images.js'),
  ]);
  const columns = columnsIn(spec.columns);
  const shape = shapeOfColumns(columns.map(({ name }) => name));
  if (!shape && (await isFolder(path)))
    throw new CnfzipError('bad-input', 'the flow was not fitted to images: it takes a file of numbers');
  return readTable(path, { decimals: columns.map(({ decimals }) => decimals), rounds }, shape);
}

async function fitTo(path: string, options: FitOptions): Promise<void> {
  const { output, force, base, freedom, components, field, patch, quiet, ...rest } = options;
  const [{ fitTable }, { saveFlow }] = await Promise.all([import('../tables/flow.js'), import('../cnf/stored.js')]);
  const target = await openOutput(output, { force }, { inputs: await filesOfTable(path) });
  const table = await readTable(path, { rounds: true }, patch);
  let told = 0;
  const onProgress = (part: number) => {
    if (quiet || part < told + 0.1) return;
    told = Math.floor(10 * part) / 10;
    say(`${path}: ${Math.round(100 * told)} %`);
  };
  const spec = baseSpec(base, { freedom, components });
  const { made, held, rows } = fitTable(table, { ...rest, kind: field, base: spec, onProgress });
  await target.write(saveFlow(made));
  if (quiet) return;
  await tell(
    target,
    `${path} -> ${target.name}: ${count(table.rows)} rows of ${table.names.length} columns, ${count(made.weights.count)} weights, ${held.toFixed(3)} nats per row on ${count(rows)} rows held out`,
  );
}

function baseSpec(kind: BaseSpec['kind'], { freedom, components }: { freedom: number; components: number }): BaseSpec {
  if (kind === 'student') return { kind, freedom };
  return kind === 'mixture' ? { kind, components } : { kind };
}

async function score(model: string, path: string): Promise<void> {
  const stored = await readFlow(model);
  const { scoreTable } = await import('../tables/flow.js');
  const scores = scoreTable(stored, await readTableFor(stored, path, true));
  await print(...Array.from(scores, (value) => value.toFixed(4)));
}

async function sample(model: string, { rows, seed }: { rows: number; seed: number }): Promise<void> {
  const stored = await readFlow(model);
  const [{ formatTable }, { sampleTable }, { Random }] = await Promise.all([
    import('../tables/table.js'),
    import('../tables/flow.js'),
    import('../train/random.js'),
  ]);
  await print(
    ...formatTable(sampleTable(stored, rows, new Random(seed)))
      .trimEnd()
      .split('\n'),
  );
}

async function encode(model: string, path: string, options: OutputOption & { quiet?: boolean }): Promise<void> {
  const { output, force, quiet } = options;
  const stored = await readFlow(model);
  const { decodeTable, encodeTable } = await import('../tables/coded.js');
  const inputs = [...(await statesOf([model])), ...(await filesOfTable(path))];
  const target = await openOutput(output, { force }, { inputs });
  const table = await readTableFor(stored, path, false);
  const bytes = await encodeTable(stored, table);
  const again = await decodeTable(stored, bytes);
  if (again.integers.some((value, i) => value !== table.integers[i]))
    throw new CnfzipError('corrupt', 'what was encoded does not come back');
  await target.write(bytes);
  if (quiet) return;
  await tell(
    target,
    `${path} -> ${target.name}: ${count(table.rows)} rows -> ${count(bytes.length)} bytes, ${((8 * bytes.length) / table.rows).toFixed(2)} bits per row`,
  );
}

async function decode(model: string, path: string, { output, force }: OutputOption): Promise<void> {
  const stored = await readFlow(model);
  const [{ formatTable }, { decodeTable }] = await Promise.all([
    import('../tables/table.js'),
    import('../tables/coded.js'),
  ]);
  const target = await openOutput(output, { force }, { inputs: await statesOf([model, path]) });
  const table = await decodeTable(stored, await readInput(path));
  await target.write(new TextEncoder().encode(formatTable(table)));
}
