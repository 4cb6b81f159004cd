/** Seeded random integers for tests and fuzzing (mulberry32): `below(n)` gives 0 .. n - 1. */
export function randomIntegers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let h = Math.imul(state ^ (state >>> 15), state | 1);
    h ^= h + Math.imul(h ^ (h >>> 7), h | 61);
    return Math.floor((((h ^ (h >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Seeded random bytes. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const random = randomIntegers(seed);
  return Uint8Array.from({ length }, () => random(256));
}
