/**
 * Loaded into the command line (`node --import`), after SQLite's habit: counts its calls of the file system that touch a folder,
 * and lets one of them fail.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join, resolve } from 'node:path';

/** `short`: a read or a write does only a part of what it was asked for. `SIGKILL`: the process ends before the call. */
export const FAULTS = ['EIO', 'ENOSPC', 'EINTR', 'short', 'SIGKILL'] as const;
export type Fault = (typeof FAULTS)[number];

export interface Injection {
  /** Calls for it and for what is in it are counted, from 1 on. */
  readonly folder: string;
  readonly call: number;
  readonly fault: Fault;
  /** A file outside the folder, written at that call: its name, or nothing if the fault does not fit it. */
  readonly report: string;
}

/** The environment variable that holds the `Injection` as JSON. */
export const VARIABLE = 'CNFZIP_FAULT';

type Call = (...parameters: unknown[]) => unknown;
type Calls = Record<string, Call>;

const PROMISES = ['open', 'lstat', 'stat', 'readdir', 'realpath', 'readlink', 'rename', 'link', 'unlink', 'mkdir'];
const HANDLE = ['read', 'write', 'sync', 'close', 'stat', 'chmod', 'chown', 'utimes'];
const SYNCHRONOUS = ['openSync', 'renameSync', 'unlinkSync', 'closeSync', 'writeSync', 'fsyncSync', 'fstatSync'];

if (process.env[VARIABLE]) inject(JSON.parse(process.env[VARIABLE]) as Injection);

function inject({ folder, call, fault, report }: Injection): void {
  const { writeFileSync, readlinkSync } = fs;
  let calls = 0;

  /** Does the call or lets it fail; short reads and writes have place, length and the rest of their parameters behind the buffer. */
  const perform = (name: string, original: Call, self: unknown, parameters: unknown[]): unknown => {
    if (++calls !== call) return original.apply(self, parameters);
    const fits = fault !== 'short' || ['read', 'write', 'writeSync'].includes(name);
    writeFileSync(report, fits ? name : '');
    if (!fits) return original.apply(self, parameters);
    if (fault === 'SIGKILL') process.kill(process.pid, fault);
    if (fault !== 'short') {
      // A descriptor whose close fails is closed all the same.
      if (name.startsWith('close')) void original.apply(self, parameters);
      throw Object.assign(new Error(`${fault}: injected, ${name}`), { code: fault, syscall: name });
    }
    const at = name === 'writeSync' ? 1 : 0;
    const [buffer, offset = 0, length = (buffer as Uint8Array).length - Number(offset)] = parameters.slice(at);
    const half = Math.max(1, Number(length) >> 1);
    return original.apply(self, [...parameters.slice(0, at), buffer, offset, half, ...parameters.slice(at + 3)]);
  };

  const inside = (path: unknown) => typeof path === 'string' && `${resolve(path)}/`.startsWith(`${folder}/`);
  const touches = (subject: unknown) => {
    if (typeof subject !== 'number') return inside(subject);
    try {
      return inside(readlinkSync(join('/proc/self/fd', String(subject))));
    } catch {
      return false;
    }
  };

  const wrap = (owner: Calls, name: string, counts: (parameters: unknown[]) => boolean, asynchronous: boolean) => {
    const original = owner[name];
    const counted: Call = function (this: unknown, ...parameters) {
      return counts(parameters) ? perform(name, original, this, parameters) : original.apply(this, parameters);
    };
    owner[name] = asynchronous ? async (...parameters: unknown[]) => counted.apply(owner, parameters) : counted;
  };

  const promises = fs.promises as unknown as Calls;
  for (const name of PROMISES) wrap(promises, name, (parameters) => parameters.slice(0, 2).some(touches), true);
  for (const name of SYNCHRONOUS) wrap(fs as unknown as Calls, name, ([subject]) => touches(subject), false);
  const { open } = promises;
  promises.open = async (path, ...rest) => {
    const handle = (await open(path, ...rest)) as Calls;
    if (touches(path)) for (const name of HANDLE) wrap(handle, name, () => true, true);
    return handle;
  };
  syncBuiltinESMExports();
}
