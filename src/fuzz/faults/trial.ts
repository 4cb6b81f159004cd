/** One fault in one command, and whether all that must hold does. */
import { spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MAIN } from '../../package/packages.js';
import { temporaryFiles } from '../leftovers.js';
import { type Fault, type Injection, VARIABLE } from './inject.js';
import { fillFolder, type Scenario } from './scenarios.js';

/** A scenario that is ready to be tried: what its folder holds before, and the result of a run without a fault. */
export interface Ready extends Scenario {
  /** Holds the folders of the scenario. */
  readonly place: string;
  readonly template: string;
  readonly expected: Buffer;
}

interface Outcome {
  /** Exit code; null if the process was killed. */
  readonly code: number | null;
  readonly stderr: string;
}

/** Calls after which bytes or names are on the disk. */
const SYNC = ['sync', 'fsyncSync'];

const INJECT = fileURLToPath(new URL('./inject.js', import.meta.url));

export async function makeReady(scenario: Scenario): Promise<Ready> {
  const place = mkdtempSync(join(tmpdir(), 'cnfzip-faults-'));
  const [template, whole] = [join(place, 'template'), join(place, 'whole')];
  mkdirSync(template);
  fillFolder(scenario, template);
  for (const words of scenario.before.commands ?? []) mustSucceed(await runCommand(template, words));
  cpSync(template, whole, { recursive: true });
  mustSucceed(await runCommand(whole, scenario.words, { stdout: scenario.stdout && scenario.result }));
  const expected = readFileSync(join(whole, scenario.result));
  return { ...scenario, place, template, expected };
}

export function clearAway({ place }: Ready): void {
  rmSync(place, { recursive: true });
}

/**
 * Runs a scenario with one fault, and again without one.
 *
 * @returns the name of the call that failed, empty if the fault does not fit it, undefined if there are fewer calls; and what does
 *   not hold then
 */
export async function tryFault(
  ready: Ready,
  call: number,
  fault: Fault,
): Promise<{ failed?: string; problem?: string }> {
  const folder = mkdtempSync(join(ready.place, 'trial-'));
  const report = `${folder}.report`;
  cpSync(ready.template, folder, { recursive: true });
  const stdout = ready.stdout && ready.result;
  const outcome = await runCommand(folder, ready.words, { stdout, injection: { folder, call, fault, report } });
  const failed = contents(report)?.toString();
  const problems = problemsAfter(ready, folder, outcome);
  // A temporary file may stay where it cannot be removed, and after SIGKILL: until the next run.
  if (fault !== 'SIGKILL' && failed !== 'unlink' && temporaryFiles(folder).length > 0) problems.push('temporary files');
  if (failed && SYNC.includes(failed) && outcome.code === 0) problems.push('exit code 0, but the disk may not have it');
  if (failed && (!ready.input || existsSync(join(folder, ready.input)))) {
    const again = await runCommand(folder, [...ready.words, ...ready.more(folder)], { stdout });
    if (again.code !== 0) problems.push('a further run fails');
    if (temporaryFiles(folder).length > 0) problems.push('a further run leaves temporary files');
    problems.push(...problemsAfter(ready, folder, again));
  }
  rmSync(folder, { recursive: true });
  rmSync(report, { force: true });
  if (problems.length === 0) return { failed };
  const head = `${ready.name}: ${fault} at call ${call}, ${failed}`;
  return { failed, problem: `${head}: ${problems.join('; ')}\n${outcome.stderr}` };
}

/** The result is there whole, or what was there before; with it or without it nothing is lost; and the exit code is true. */
function problemsAfter(ready: Ready, folder: string, { code, stderr }: Outcome): string[] {
  const { result, stdout, input, removes = false, besides = [], template, expected } = ready;
  const problems: string[] = [];
  const now = contents(join(folder, result));
  const whole = now?.equals(expected) ?? false;
  const untouched = equal(now, contents(join(template, result)));
  // What went to standard output before it failed cannot be taken back.
  if (!whole && !untouched && !(stdout && code !== 0)) problems.push('a partial result');
  if (input) {
    const original = join(template, input);
    const kept = contents(join(folder, input));
    const done = removes && whole && kept === undefined;
    if (!done && !equal(kept, contents(original))) problems.push('the input is lost');
    const mode = (path: string) => statSync(path).mode;
    if (whole && !stdout && mode(join(folder, result)) !== mode(original)) problems.push('the mode of the result');
    if (code === 0 && removes && !done) problems.push('exit code 0, but the input is there');
  }
  const all = whole && besides.every((name) => existsSync(join(folder, name)));
  if (code === 0 && !all) problems.push('exit code 0, but not all is there');
  if (code !== 0 && code !== null && !(code === 1 && /^cnfzip: .+\n$/m.test(stderr) && !/^\s+at /m.test(stderr))) {
    problems.push(`exit code ${code}, and no line that says why`);
  }
  return problems;
}

function contents(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}

function equal(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a && b ? a.equals(b) : a === b;
}

function runCommand(
  folder: string,
  words: readonly string[],
  { stdout, injection }: { stdout?: string | false; injection?: Injection } = {},
): Promise<Outcome> {
  const output = stdout ? openSync(join(folder, stdout), 'w') : 'ignore';
  const child = spawn(process.execPath, ['--import', INJECT, MAIN, ...words], {
    cwd: folder,
    stdio: ['ignore', output, 'pipe'],
    env: { ...process.env, [VARIABLE]: injection && JSON.stringify(injection) },
  });
  if (typeof output === 'number') closeSync(output);
  let stderr = '';
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

function mustSucceed({ code, stderr }: Outcome): void {
  if (code !== 0) throw new Error(`without any fault the exit code is ${code}: ${stderr}`);
}
