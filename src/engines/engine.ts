/** What runs the check, and how it is run where it takes a script. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Findings, Task } from './check.js';

/** A JavaScript engine, or one with flags of its own. */
export interface Engine {
  /** By which it is chosen on the command line. */
  readonly kind: string;
  readonly name: string;
  /** Nothing where it is missing. */
  readonly version?: string;
  /** How to get it. */
  readonly remedy: string;
  /** So slow that it is only asked for small files. */
  readonly emulated?: boolean;
  run(task: Task): Promise<Findings>;
}

/** Milliseconds that an engine may take. */
export const TIMEOUT = 600_000;

const SCRIPT = fileURLToPath(new URL('./script.js', import.meta.url));

/** An engine that takes a script: a program, if it is there, with its flags and variables. */
export function scriptEngine(
  about: Pick<Engine, 'kind' | 'name' | 'remedy' | 'emulated'>,
  program: string | undefined,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Engine {
  return {
    ...about,
    version: program && versionOf(program, flags),
    run: async (task) => {
      const { stdout } = await promisify(execFile)(program!, [...flags, SCRIPT, JSON.stringify(task)], {
        env: { ...process.env, ...env },
        timeout: TIMEOUT,
      });
      return JSON.parse(stdout);
    },
  };
}

/** The version that a program tells; nothing if it does not run with these flags. */
export function versionOf(program: string, flags: readonly string[] = []): string | undefined {
  const { status, stdout } = spawnSync(program, [...flags, '--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.match(/\d+(\.\d+)+\w*/)?.[0] : undefined;
}

export const findChromium = () => findProgram('chromium', 'chromium-browser', 'google-chrome');
export const findFirefox = () => findProgram('firefox-esr', 'firefox');

/** The first of these programs that is installed. */
export function findProgram(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
