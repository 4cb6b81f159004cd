/** Statistics of lists of numbers. */

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Mean squared distance from the mean, over n - 1. */
export function variance(values: ArrayLike<number>): number {
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - centre) ** 2;
  return sum / (values.length - 1);
}

/** The middle of the sorted values, or of the two there the mean. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Slope of the least-squares line through points. */
export function slope(points: readonly (readonly [number, number])[]): number {
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const across = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return across / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

/** Area inside a polygon, by the shoelace formula. */
export function polygonArea(corners: readonly (readonly [number, number])[]): number {
  const twice = corners.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = corners[(i + 1) % corners.length];
    return sum + x * nextY - nextX * y;
  }, 0);
  return Math.abs(twice) / 2;
}

/** Wasserstein-1 distance of two samples of as many numbers: the mean distance of their sorted values. */
export function wasserstein(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new RangeError(`samples of ${a.length} and ${b.length} numbers`);
  const sorted = [a, b].map((values) => Float64Array.from(values).sort());
  return mean(sorted[0].map((value, i) => Math.abs(value - sorted[1][i])));
}

/** Means of `width` values each, at the middles of their places; what is left over at the end does not count. */
export function smoothed(values: readonly number[], width: number): [number, number][] {
  return Array.from({ length: Math.floor(values.length / width) }, (_, k) => [
    (k + 0.5) * width,
    mean(values.slice(k * width, (k + 1) * width)),
  ]);
}

/** Pearson's correlation. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [ma, mb] = [mean(a), mean(b)];
  const products = Float64Array.from(a, (value, i) => (value - ma) * (b[i] - mb));
  return (mean(products) * a.length) / (a.length - 1) / Math.sqrt(variance(a) * variance(b));
}

/**
 * How often a number of one sample is above one of another, ties by half: the area under the curve of a test that tells one from the other
 * (AUROC), 0.5 where it cannot. Of each number, against all of the other sample; the means of both lists are that area.
 */
export function placements(a: readonly number[], b: readonly number[]): { ofA: number[]; ofB: number[] } {
  const [left, right] = [a, b].map((values) => Float64Array.from(values).sort());
  return {
    ofA: a.map((value) => below(right, value) / b.length),
    ofB: b.map((value) => 1 - below(left, value) / a.length),
  };
}

/** How many of sorted numbers are below a value, those equal to it by half. */
function below(sorted: Float64Array, value: number): number {
  const before = (holds: (x: number) => boolean) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(sorted[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (before((x) => x < value) + before((x) => x <= value)) / 2;
}
