/**
 * `npm run fuzz:kill -- IMAGE`: kills compress and decompress (SIGKILL) at random moments. Under the name of the result there
 * must be nothing, or the whole of it; temporary files are gone after a further run.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { MAIN } from '../package/packages.js';
import { temporaryFiles } from './leftovers.js';
import { randomIntegers } from './random-bytes.js';

const program = new Command('kill')
  .description(
    'Kill compress and decompress at random moments; exit code 1 if a partial result is ever found, or a temporary file that ' +
      'a further run leaves.',
  )
  .argument('<image>', 'what to compress')
  .option('--times <n>', 'how often in all', '200')
  .option('--seed <n>', 'of the moments', '1')
  .action(killRuns);
await program.parseAsync();

async function killRuns(image: string, { times, seed }: { times: string; seed: string }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-kill-'));
  const random = randomIntegers(Number(seed));
  const [packed, result] = [join(folder, 'whole.cnfz'), join(folder, 'result')];
  let [absent, whole, partial, temporary, left] = [0, 0, 0, 0, 0];
  try {
    for (const args of [
      ['compress', '-qf', image, '-o', packed],
      ['decompress', '-qf', packed, '--format', 'png', '-o', result],
    ]) {
      const target = args.at(-1)!;
      const milliseconds = await run(args);
      const expected = readFileSync(target);
      const trial = [...args.slice(0, -1), result];
      for (let i = 0; i < Number(times) / 2; i++) {
        rmSync(result, { force: true });
        await run(trial, random(Math.ceil(1.1 * milliseconds)));
        if (!existsSync(result)) absent++;
        else if (readFileSync(result).equals(expected)) whole++;
        else partial++;
        const found = temporaryFiles(folder).length;
        temporary += found;
        if (found === 0) continue;
        await run(trial);
        left += temporaryFiles(folder).length;
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(
    `${times} runs killed, seed ${seed}: ${absent} left no result, ${whole} the whole one, ${partial} a partial one; ` +
      `${temporary} temporary files, ${left} of them left by a further run`,
  );
  if (partial + left > 0) process.exitCode = 1;
}

/** Runs the command line, killed after so many milliseconds if it is not done by then; returns how long it ran. */
function run(args: readonly string[], killAfter?: number): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' });
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
  return new Promise((resolve) => {
    child.on('exit', () => {
      clearTimeout(timer);
      resolve(performance.now() - started);
    });
  });
}
