// As much JSON (RFC 8259) as the header of a model's file has: objects whose keys are plain, arrays, numbers; other values are passed over.

import { Reader } from './bytes';
import { BAD_MODEL, fail, failed } from './error';

/** The key that `nextKey` has come to. */
let keyAt: usize = 0;
let keyBytes: usize = 0;

/** The next character that is no space, which is not taken; 0 at the end. */
function next(reader: Reader): i32 {
  while (reader.at < reader.end) {
    const letter = <i32>load<u8>(reader.at);
    if (letter != 32 && letter != 10 && letter != 13 && letter != 9) return letter;
    reader.at++;
  }
  return 0;
}

/** Takes a character if it is the next. */
function takes(reader: Reader, letter: i32): bool {
  if (next(reader) != letter) return false;
  reader.at++;
  return true;
}

function malformed(): bool {
  return fail(BAD_MODEL, 'not a usable model file: its header is not JSON');
}

/** Takes the beginning of an object or an array. */
export function enter(reader: Reader, bracket: i32): bool {
  return takes(reader, bracket) || malformed();
}

/** Takes the end of an array, or what stands before its next element; false at the end. */
export function nextElement(reader: Reader, isFirst: bool): bool {
  if (takes(reader, 0x5d) || failed()) return false;
  return isFirst || takes(reader, 0x2c) || malformed();
}

/** Takes the end of an object, or its next key; false at the end. */
export function nextKey(reader: Reader, isFirst: bool): bool {
  if (takes(reader, 0x7d) || failed()) return false;
  if (!isFirst && !takes(reader, 0x2c)) return malformed();
  if (next(reader) != 0x22) return malformed();
  keyAt = reader.at + 1;
  skipString(reader);
  keyBytes = reader.at - 1 - keyAt;
  return takes(reader, 0x3a) || malformed();
}

/** Whether the key at hand is this. */
export function isKey(name: string): bool {
  if (<usize>name.length != keyBytes) return false;
  for (let i = 0; i < name.length; i++) if (load<u8>(keyAt + i) != name.charCodeAt(i)) return false;
  return true;
}

function skipString(reader: Reader): void {
  for (reader.at++; reader.at < reader.end; reader.at++) {
    const letter = load<u8>(reader.at);
    if (letter == 0x5c) reader.at++;
    if (letter == 0x22) {
      reader.at++;
      return;
    }
  }
  malformed();
}

/** Passes over a value of any kind. */
export function skipValue(reader: Reader): void {
  let depth = 0;
  do {
    const letter = next(reader);
    if (letter == 0) malformed();
    if (failed()) return;
    if (letter == 0x22) {
      skipString(reader);
      continue;
    }
    if (letter == 0x7b || letter == 0x5b) depth++;
    if (letter == 0x7d || letter == 0x5d) depth--;
    reader.at++;
  } while (depth > 0 || !endsValue(next(reader)));
}

@inline
function endsValue(letter: i32): bool {
  return letter == 0x2c || letter == 0x7d || letter == 0x5d || letter == 0;
}

@inline
function isDigit(letter: i32): bool {
  return letter >= 48 && letter <= 57;
}

/** Powers of ten that float64 holds exactly. */
const MOST_POWER: i32 = 22;
const MOST_DIGITS: u64 = 1 << 53;

/**
 * A number. It is the float64 next to what is written, as both the digits and the power of ten are exact and one operation joins them
 * (Clinger 1990); a number with more digits than that allows is an error.
 */
export function number(reader: Reader): f64 {
  const isNegative = takes(reader, 0x2d);
  let digits: u64 = 0;
  let power = 0;
  let isFraction = false;
  let count = 0;
  let isExact = true;
  for (next(reader); reader.at < reader.end; reader.at++) {
    const letter = <i32>load<u8>(reader.at);
    if (letter == 0x2e && !isFraction && count > 0) {
      isFraction = true;
    } else if (isDigit(letter)) {
      if (digits >= MOST_DIGITS / 10) isExact = false;
      else digits = digits * 10 + <u64>(letter - 48);
      if (isFraction) power--;
      count++;
    } else {
      break;
    }
  }
  if (count == 0) malformed();
  if (reader.at < reader.end && (load<u8>(reader.at) | 32) == 0x65) {
    reader.at++;
    const isSmall = takes(reader, 0x2d);
    if (!isSmall) takes(reader, 0x2b);
    let exponent = 0;
    for (; reader.at < reader.end && isDigit(load<u8>(reader.at)); reader.at++) {
      exponent = min<i32>(exponent * 10 + <i32>load<u8>(reader.at) - 48, 1000);
    }
    power += isSmall ? -exponent : exponent;
  }
  if (!isExact || abs<i32>(power) > MOST_POWER) fail(BAD_MODEL, 'not a usable model file: a number has too many digits');
  if (failed()) return 0;
  let unit: f64 = 1;
  for (let i = abs<i32>(power); i > 0; i--) unit *= 10;
  const value = power < 0 ? <f64>digits / unit : <f64>digits * unit;
  return isNegative ? -value : value;
}
