/** Runs the command line to measure it. */
import { spawnSync } from 'node:child_process';
import { MAIN } from '../package/packages.js';

/** Tells a process's peak at its end. */
const HOOK = `data:text/javascript,process.on('exit',()=>console.log('peak',process.resourceUsage().maxRSS))`;

/** What a run of the command line took. */
export interface Taken {
  /** The largest resident set, in bytes. */
  readonly peak: number;
  readonly seconds: number;
}

export function runMeasured(...args: string[]): Taken {
  const began = performance.now();
  const { status, stdout } = spawnSync(process.execPath, ['--import', HOOK, MAIN, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`cnfzip ${args.join(' ')} ended with ${status}`);
  const peak = 1024 * Math.max(...[...stdout.matchAll(/peak (\d+)/g)].map(([, kilobytes]) => Number(kilobytes)));
  return { peak, seconds: (performance.now() - began) / 1000 };
}
