/**
 * `npm run fuzz`: decodes damaged and forged `.cnfz` files and archives, damaged PNG files, and parts of `.cnfz` files. None may crash the decoder, take more than
 * 5 seconds of the processor, more memory than the limit, or give other pixels. Every case is known by its seed.
 */
import { Command } from 'commander';
import { startThread } from '../threads/thread.js';
import type { FuzzKind } from './trials.js';
import type { FuzzReport, FuzzTask } from './worker.js';

const MAX_SECONDS = 5;
const MAX_MEMORY = 1e9;

const KINDS: readonly FuzzKind[] = ['cnfz', 'forged', 'png', 'archive', 'view'];

type FuzzOptions = Record<FuzzKind | 'seed', string>;

const program = new Command('fuzz')
  .description('Decode damaged files; exit code 1 if one crashes, hangs, takes too much memory or gives other pixels.')
  .option('--cnfz <n>', 'damaged .cnfz files', '200000')
  .option('--forged <n>', '.cnfz files with any field changed and all checksums right', '100000')
  .option('--png <n>', 'damaged PNG files', '20000')
  .option('--archive <n>', 'damaged and forged archives', '20000')
  .option('--view <n>', 'parts of .cnfz files: a scale, a region and a prefix', '10000')
  .option('--seed <n>', 'of the first case', '1')
  .action(async (options: FuzzOptions) => {
    let failures = 0;
    for (const kind of KINDS.filter((kind) => Number(options[kind]) > 0)) {
      failures += await fuzz({ kind, firstSeed: Number(options.seed), cases: Number(options[kind]) });
    }
    process.exitCode = failures > 0 ? 1 : 0;
  });
await program.parseAsync();

async function fuzz(task: FuzzTask): Promise<number> {
  const counts = { refused: 0, unchanged: 0, accepted: 0 };
  const last = task.firstSeed + task.cases;
  let failures = 0;
  let slowest = 0;
  let memory = 0;
  const started = performance.now();
  for (let next = task.firstSeed; next < last; ) {
    const worker = startThread(new URL('./worker.js', import.meta.url), {
      workerData: { ...task, firstSeed: next, cases: last - next },
    });
    let running = { seed: next, since: Number.POSITIVE_INFINITY };
    const fail = (seed: number, what: string) => {
      failures++;
      console.log(`${task.kind} seed ${seed}: ${what}`);
    };
    await new Promise<void>((resolve) => {
      const watch = setInterval(() => {
        const { rss } = process.memoryUsage();
        memory = Math.max(memory, rss);
        const hangs = processorSeconds() - running.since > MAX_SECONDS;
        if (!hangs && rss <= MAX_MEMORY) return;
        clearInterval(watch);
        fail(running.seed, hangs ? 'hangs' : `takes ${Math.round(rss / 1e6)} MB`);
        void worker.terminate();
      }, 200);
      worker.on('message', (report: FuzzReport) => {
        if ('begun' in report) {
          running = { seed: report.seed, since: processorSeconds() };
          return;
        }
        slowest = Math.max(slowest, processorSeconds() - running.since);
        running = { seed: report.seed + 1, since: Number.POSITIVE_INFINITY };
        if ('failure' in report) fail(report.seed, report.failure);
        else counts[report.outcome]++;
      });
      worker.on('error', (error) => fail(running.seed, error.stack ?? error.message));
      worker.on('exit', () => {
        clearInterval(watch);
        resolve();
      });
    });
    next = running.since === Number.POSITIVE_INFINITY && running.seed > next ? running.seed : running.seed + 1;
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${task.kind}: ${task.cases} files, seeds ${task.firstSeed} to ${last - 1}: ${counts.refused} refused, ` +
      `${counts.unchanged} decoded to the same image, ${counts.accepted} to another; ${failures} failures; ` +
      `slowest ${slowest.toFixed(2)} s, memory ${Math.round(memory / 1e6)} MB, ${seconds.toFixed(0)} s`,
  );
  return failures;
}

/** Of this process; other processes on a busy machine do not count. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
