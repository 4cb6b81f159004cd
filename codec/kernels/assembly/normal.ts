// The standard normal distribution function in float64, for coders of Gaussian cells.

const LN2_HI: f64 = 6.93147180369123816490e-1;
const LN2_LO: f64 = 1.90821492927058770002e-10;
const LOG2E: f64 = 1.4426950408889634;
const SQRT_2PI_INVERSE: f64 = 0.3989422804014327;
/** Beyond, the series would cancel; a cell there has less than 2^-50 of the mass. */
const FARTHEST: f64 = 8;

/** exp(x) for -700 < x <= 0, by its Taylor series around the nearest multiple of log 2. */
function exponential(x: f64): f64 {
  const n = nearest<f64>(x * LOG2E);
  const r = x - n * LN2_HI - n * LN2_LO;
  let sum: f64 = 1;
  for (let k: f64 = 14; k > 0; k--) sum = 1 + (sum * r) / k;
  return sum * reinterpret<f64>((<i64>n + 1023) << 52);
}

/** 1/2 + density(x) (x + x^3/3 + x^5/(3 5) + ...): Marsaglia 2004, Evaluating the normal distribution. All terms have one sign. */
export function normalCdf(x: f64): f64 {
  if (x <= -FARTHEST) return 0;
  if (x >= FARTHEST) return 1;
  const square = x * x;
  let term = x;
  let sum: f64 = x;
  for (let k: f64 = 3; abs(term) > abs(sum) * 1e-17; k += 2) {
    term *= square / k;
    sum += term;
  }
  return 0.5 + sum * SQRT_2PI_INVERSE * exponential(-0.5 * square);
}
