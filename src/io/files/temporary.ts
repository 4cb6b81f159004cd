/** Temporary files: their names, and that none is left, whatever ends the process. */
import { createHash, randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { lstat, readdir, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errorCode } from './errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Host, process, and a random part. */
const NAME = /^\.cnfzip-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;

const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** After this many milliseconds also what another host left is stale: files are complete before they are written. */
const STALE_AFTER = 24 * 60 * 60 * 1000;

/** Files that must not outlive the process. */
const pending = new Set<string>();

/** Folders that were looked through for stale files. */
const swept = new Set<string>();

/** A name for a temporary file that no other has. */
export function temporaryPath(folder: string): string {
  return join(folder, `.cnfzip-${HOST}-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
}

/** From now on a file is removed when the process exits, or SIGINT, SIGTERM or SIGHUP ends it. */
export function guard(path: string): void {
  if (pending.size === 0) {
    // Before the others, for those that take themselves off when they are called to be still there.
    for (const signal of SIGNALS) process.prependListener(signal, endedBySignal);
    process.on('exit', removePending);
  }
  pending.add(path);
}

export function unguard(path: string): void {
  pending.delete(path);
  if (pending.size > 0) return;
  for (const signal of SIGNALS) process.off(signal, endedBySignal);
  process.off('exit', removePending);
}

/**
 * Removes what killed processes have left in a folder, at the first call for it. Nothing hangs on it: what cannot be read or
 * removed stays.
 */
export async function removeStale(folder: string): Promise<void> {
  if (swept.has(folder)) return;
  swept.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    const [, host, pid] = NAME.exec(name) ?? [];
    if (host === undefined) continue;
    const path = join(folder, name);
    try {
      // When it was last touched: its time of modification may be the input's already.
      const { ctimeMs } = await lstat(path);
      const orphaned = host === HOST && !mayBeWrittenBy(Number(pid), ctimeMs);
      if (orphaned || Date.now() - ctimeMs > STALE_AFTER) await unlink(path);
    } catch {
      // Another process was faster, or it is not ours to remove.
    }
  }
}

/** Whether the process runs that wrote a file at a time; it is another one if it began later. */
function mayBeWrittenBy(pid: number, time: number): boolean {
  if (pid === process.pid) return time >= Date.now() - 1000 * process.uptime();
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

function endedBySignal(signal: NodeJS.Signals): void {
  // Other listeners decide what the signal means, and the write goes on; without any it ends the process.
  if (process.listenerCount(signal) > 1) return;
  for (const each of SIGNALS) process.off(each, endedBySignal);
  removePending();
  process.kill(process.pid, signal);
}

function removePending(): void {
  for (const path of pending) {
    try {
      unlinkSync(path);
    } catch {
      // Not yet created, or renamed already.
    }
  }
}
