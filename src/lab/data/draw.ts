import type { Random } from '../../train/random.js';

/** Some of the numbers below `all`, each once. */
export function drawn(all: number, count: number, random: Random): number[] {
  const numbers = Array.from({ length: all }, (_, i) => i);
  const most = Math.min(count, all);
  for (let i = 0; i < most; i++) {
    const other = i + random.below(all - i);
    [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
  }
  return numbers.slice(0, most);
}
