/** `npm run fuzz:queue -- FOLDER`: workers of a queue are killed and its server is restarted; and how fast one and two workers are. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { CnfzipError, type Image, readImage } from '../../index.js';
import { filesBelow } from '../../io/files/folders.js';
import { randomIntegers } from '../random-bytes.js';
import { findPostgres, findRedis } from './servers.js';
import { type Findings, prepare, tryQueue } from './trial.js';

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

const BACK_ENDS = { redis: findRedis, postgres: findPostgres };

interface Options {
  backEnd: (keyof typeof BACK_ENDS)[];
  images: string;
  size: string;
  seed: string;
}

await new Command('queue')
  .description(
    'Compress pieces of photographs by three workers of a queue, two of which are killed at random moments, and its server, which is started ' +
      'again; exit code 1 unless all results are there, exact, and made once. Then by one worker and by two, undisturbed.',
  )
  .argument('<folder>', 'of photographs')
  .addOption(
    new Option('--back-end <names...>', 'servers to try')
      .choices(Object.keys(BACK_ENDS))
      .default(Object.keys(BACK_ENDS)),
  )
  .option('--images <n>', 'how many pieces', '200')
  .option('--size <pixels>', 'width and height of each', '96')
  .option('--seed <n>', 'of pieces and moments', '1')
  .action(run)
  .parseAsync();

async function run(photographs: string, options: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-queue-'));
  const from = join(folder, 'from');
  mkdirSync(from);
  const random = randomIntegers(Number(options.seed));
  try {
    const images = await pieces(photographs, Number(options.images), Number(options.size), random);
    const expected = await prepare(from, images);
    for (const name of options.backEnd) {
      const installed = BACK_ENDS[name]();
      if (!installed) {
        console.log(`${name}: not installed`);
        continue;
      }
      const server = await installed.start();
      try {
        for (const [workers, kills] of [
          [3, 2],
          [1, 0],
          [2, 0],
        ]) {
          const to = join(folder, `${name}-${workers}`);
          const found = await tryQueue({
            main: MAIN,
            server,
            from,
            to,
            expected,
            workers,
            kills,
            restart: kills > 0,
            random,
          });
          tell(
            `${name}, ${workers} workers, ${kills} killed${kills > 0 ? ', server restarted' : ''}`,
            found,
            expected.size,
          );
        }
      } finally {
        await server.stop();
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tell(what: string, found: Findings, all: number): void {
  const { seconds, exact, wrong, missing, replaced, twice, proven, said } = found;
  console.log(
    `${what}: ${exact} of ${all} exact, ${wrong} wrong, ${missing} missing, ${replaced} replaced, ${twice} lines too many, ` +
      `${proven ? 'proven' : 'NOT proven'}; ${seconds.toFixed(1)} s, ${(all / seconds).toFixed(2)} images a second`,
  );
  if (exact === all && replaced === 0 && proven) return;
  console.log(said);
  process.exitCode = 1;
}

/** Squares from anywhere in the photographs of a folder. */
async function pieces(
  folder: string,
  count: number,
  size: number,
  random: (below: number) => number,
): Promise<Image[]> {
  const names = await filesBelow(folder, ['.png']);
  const all: Image[] = [];
  for (const [place, name] of names.entries()) {
    const { width, height, channels, samples } = await readImage(join(folder, name));
    const share = Math.floor((count * (place + 1)) / names.length) - all.length;
    for (let i = 0; i < share && width >= size && height >= size; i++) {
      const [x, y] = [random(width - size + 1), random(height - size + 1)];
      const piece = new Uint8Array(size * size * channels);
      for (let row = 0; row < size; row++) {
        const at = ((y + row) * width + x) * channels;
        piece.set(samples.subarray(at, at + size * channels), row * size * channels);
      }
      all.push({ width: size, height: size, channels, samples: piece });
    }
  }
  if (all.length < count)
    throw new CnfzipError('usage', `${folder} has photographs that are smaller than ${size} x ${size}`);
  return all;
}
