/** What a model's draws are worth where the truth is known but for a constant: statistics of w = log of the unnormalized truth over the model's density. */

/** Kish's effective sample size over the number of draws, 1 / n to 1: (sum of weights)² / (n sum of their squares). */
export function effectiveShare(logWeights: Float64Array): number {
  const largest = logWeights.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (largest === Number.NEGATIVE_INFINITY) return 0;
  const weights = logWeights.map((log) => Math.exp(log - largest));
  const sum = weights.reduce((a, b) => a + b);
  return sum ** 2 / (weights.length * weights.reduce((total, weight) => total + weight ** 2, 0));
}

/**
 * The Kullback-Leibler divergence of the model from the truth in nats, with the truth's constant by Bennett's acceptance ratio (1976), from log-weights of the truth's
 * samples and of the model's: the constant that tells the two kinds apart best by logistic regression.
 */
export function boltzmannGap(ofTruth: Float64Array, ofModel: Float64Array): number {
  const odds = Math.log(ofTruth.length / ofModel.length);
  const logistic = (x: number) => 1 / (1 + Math.exp(-x));
  const total = (values: Float64Array, of: (x: number) => number) => values.reduce((sum, value) => sum + of(value), 0);
  // Grows with the constant.
  const excess = (constant: number) =>
    total(ofTruth, (w) => logistic(constant - w - odds)) - total(ofModel, (w) => logistic(w - constant + odds));
  const all = [...ofTruth, ...ofModel].filter(Number.isFinite);
  let [low, high] = [
    all.reduce((a, b) => Math.min(a, b)) - 50 - Math.abs(odds),
    all.reduce((a, b) => Math.max(a, b)) + 50 + Math.abs(odds),
  ];
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (excess(middle) > 0) high = middle;
    else low = middle;
  }
  return ofTruth.reduce((a, b) => a + b) / ofTruth.length - (low + high) / 2;
}
