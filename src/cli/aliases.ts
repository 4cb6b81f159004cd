/** The short way to say a command: `cnfzip photo.png`, and zstd's -d, -t and -l. */

const COMMANDS: Record<string, string> = {
  '-d': 'decompress',
  '--decompress': 'decompress',
  '-t': 'verify',
  '--test': 'verify',
  '-l': 'info',
  '--list': 'info',
};

/**
 * The words of a command line with its command in front. What starts with a plain word is left alone unless that word can
 * only be a file's name: a mistyped command is not taken for one.
 *
 * @param words without the program's name
 * @param general the program's own options
 */
export function withCommand(words: readonly string[], general: readonly string[]): string[] {
  const [first] = words;
  if (first === undefined || general.includes(first)) return [...words];
  if (!first.startsWith('-') && !/[./\\]/.test(first)) return [...words];
  const end = words.indexOf('--');
  const at = words.findIndex((word, i) => Object.hasOwn(COMMANDS, word) && (end < 0 || i < end));
  if (at < 0) return ['compress', ...words];
  return [COMMANDS[words[at]], ...words.slice(0, at), ...words.slice(at + 1)];
}
