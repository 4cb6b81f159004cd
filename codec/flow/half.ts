/** Half-precision numbers (IEEE 754 binary16), as model files hold weights. */

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

const INFINITE = 0x7c00;
const NOT_A_NUMBER = 0x7e00;
/** Bits of single precision: of 2^16, of the least normal half, 2^-14, and of what their exponents differ by. */
const ABOVE_ALL = 0x47800000;
const LEAST_NORMAL = 0x38800000;
const EXPONENT_SHIFT = 0x38000000;
/** Subnormal halves are multiples of its inverse. */
const SUBNORMAL_SCALE = 0x1000000;

/** The 16 bits of the half next to a number, of two equally near the even one; beyond 65,504 an infinity. */
export function toHalf(value: number): number {
  single[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const size = bits[0] & 0x7fffffff;
  if (Number.isNaN(value)) return NOT_A_NUMBER;
  if (size >= ABOVE_ALL) return sign | INFINITE;
  if (size >= LEAST_NORMAL) return sign | ((size + 0xfff + ((size >>> 13) & 1) - EXPONENT_SHIFT) >>> 13);
  const scaled = Math.abs(single[0]) * SUBNORMAL_SCALE;
  const below = Math.floor(scaled);
  const up = scaled - below > 0.5 || (scaled - below === 0.5 && below % 2 === 1);
  return sign | (below + (up ? 1 : 0));
}

/** The number that 16 bits are, exactly. */
export function fromHalf(half: number): number {
  const size = half & 0x7fff;
  const sign = half & 0x8000 ? -1 : 1;
  if (size < 0x400) return (sign * size) / SUBNORMAL_SCALE;
  if (size >= INFINITE) return size === INFINITE ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  bits[0] = (size << 13) + EXPONENT_SHIFT;
  return sign * single[0];
}
