/**
 * Names of an archive's images: paths with `/` between their parts. Each is told by what it has of the one before it, so that numbered
 * names cost next to nothing. `docs/format.md` has it byte by byte.
 */

import { ByteReader, concatenate, varint } from '../container/bytes.js';
import { CnfzipError } from '../error.js';

/** Most bytes of a name. */
const MAX_NAME = 4096;

/** Most characters of all names. */
export const MAX_NAMES = 1 << 26;

/** What a name begins with that is the one before it with its last number one higher; other names begin with 1 and more. */
const NEXT = 0;

/** Digits of a number that is counted on: no more than a double holds exactly. */
const LAST_NUMBER = /^(.*?)(\d{1,15})(\D*)$/su;

/** What is wrong with a name, in a few words; nothing if it is a path that leads nowhere but below a folder. */
export function nameProblem(name: string): string | undefined {
  if (new TextEncoder().encode(name).length > MAX_NAME) return `it is longer than ${MAX_NAME} bytes`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f\\]|\p{Surrogate}/u.test(name)) return 'it has a character that no name in an archive has';
  const parts = name.split('/');
  return parts.some((part) => part === '' || part === '.' || part === '..')
    ? 'it is no path below a folder'
    : undefined;
}

/** The name with its last number one higher, in as many digits at least; nothing if it has no number. */
function next(name: string): string | undefined {
  const [, before, digits, after] = LAST_NUMBER.exec(name) ?? [];
  if (digits === undefined) return undefined;
  return `${before}${String(Number(digits) + 1).padStart(digits.length, '0')}${after}`;
}

export function writeNames(names: readonly string[]): Uint8Array {
  const parts: ArrayLike<number>[] = [];
  let previous = '';
  let last: Uint8Array = new Uint8Array();
  for (const name of names) {
    const bytes = new TextEncoder().encode(name);
    if (name === next(previous)) {
      parts.push([NEXT]);
    } else {
      let shared = 0;
      while (shared < bytes.length && bytes[shared] === last[shared]) shared++;
      parts.push([...varint(shared + 1), ...varint(bytes.length - shared)], bytes.subarray(shared));
    }
    previous = name;
    last = bytes;
  }
  return concatenate(parts);
}

/** @throws {CnfzipError} `corrupt` if they are malformed, one occurs twice, or one is no name that `nameProblem` allows */
export function readNames(bytes: Uint8Array): string[] {
  const damaged = (cause?: unknown) => new CnfzipError('corrupt', 'damaged: its names are malformed', { cause });
  const reader = new ByteReader(bytes);
  const names = new Set<string>();
  let previous = '';
  let total = 0;
  while (reader.left > 0) {
    const shared = reader.varint() - 1;
    const name = shared < 0 ? next(previous) : read(reader, previous, shared);
    if (name === undefined || nameProblem(name) !== undefined || names.has(name)) throw damaged();
    total += name.length;
    if (total > MAX_NAMES) throw damaged();
    names.add(name);
    previous = name;
  }
  return [...names];

  function read(reader: ByteReader, previous: string, shared: number): string {
    const known = new TextEncoder().encode(previous);
    if (shared > known.length) throw damaged();
    const own = reader.take(reader.varint());
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        concatenate([known.subarray(0, shared), own]),
      );
    } catch (cause) {
      throw damaged(cause);
    }
  }
}
