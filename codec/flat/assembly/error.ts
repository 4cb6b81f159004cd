// What went wrong. WebAssembly has no exceptions that every host knows, so the first error is kept, everything that may fail tells
// whether it did, and what is read after an error is zero.

/** Kinds of errors: what `errorCode` gives. */
export const BAD_INPUT: i32 = 1;
export const UNSUPPORTED: i32 = 2;
export const CORRUPT: i32 = 3;
export const UNKNOWN_MODEL: i32 = 4;
export const BAD_MODEL: i32 = 5;
export const USAGE: i32 = 6;

const MOST_BYTES: i32 = 256;
const text: usize = memory.data(MOST_BYTES);
let length: i32 = 0;
let code: i32 = 0;

/** Whether there has been an error since `forgive`. */
export function failed(): bool {
  return code != 0;
}

/** Forgets the error. */
export function forgive(): void {
  code = 0;
  length = 0;
}

/** Keeps an error whose text `tell` and the like make; false if there is one already, whose text must stay. */
export function failing(kind: i32): bool {
  if (code) return false;
  code = kind;
  length = 0;
  return true;
}

/** Keeps an error unless there is one already; returns false, for those who tell that they failed. */
export function fail(kind: i32, message: string): bool {
  if (failing(kind)) tell(message);
  return false;
}

/** Adds ASCII characters to the error's text. */
export function tell(message: string): void {
  for (let i = 0; i < message.length; i++) tellLetter(message.charCodeAt(i));
}

/** Adds a number in decimal digits. */
export function tellNumber(value: u64): void {
  let unit: u64 = 1;
  while (value / unit >= 10) unit *= 10;
  for (; unit > 0; unit /= 10) tellLetter(48 + <i32>((value / unit) % 10));
}

/** Adds bytes in hexadecimal digits. */
export function tellHex(at: usize, count: i32): void {
  for (let i = 0; i < 2 * count; i++) {
    const digit = (load<u8>(at + (i >> 1)) >> (i & 1 ? 0 : 4)) & 15;
    tellLetter(digit < 10 ? 48 + digit : 87 + digit);
  }
}

/** Adds `a x b`. */
export function tellSize(width: u64, height: u64): void {
  tellNumber(width);
  tell(' x ');
  tellNumber(height);
}

function tellLetter(letter: i32): void {
  if (length < MOST_BYTES) store<u8>(text + length++, letter);
}

/** One of the kinds above, or 0. */
export function errorCode(): i32 {
  return code;
}

/** Address of the error's text, ASCII. */
export function errorText(): usize {
  return text;
}

export function errorBytes(): i32 {
  return length;
}
