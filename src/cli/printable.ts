/** Text for people, on a terminal that obeys what stands in it: file names may hold anything. */

/** Control characters, line separators, and marks that turn the direction of what follows. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const NAMES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A line in which such characters are spelled out: `\n`, `\x1b`, `\u202e`. */
export function printable(line: string): string {
  return line.replace(UNSAFE, (character) => NAMES[character] ?? escaped(character.charCodeAt(0)));
}

function escaped(code: number): string {
  const digits = code.toString(16);
  return code < 256 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`;
}
