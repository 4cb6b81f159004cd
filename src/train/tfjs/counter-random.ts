/** The kernels' counter-based random number in (0, 1): the same float32 for the same unsigned 32-bit counter. */
export function counterRandom(counter: number): number {
  let h = counter;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  h ^= h >>> 16;
  return ((h >>> 9) + 0.5) / 8388608;
}
