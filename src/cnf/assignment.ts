/**
 * The assignment of least cost, exactly (the Hungarian method by shortest augmenting paths; Jonker, Volgenant 1987): which column each row
 * takes, in time of the order n^3.
 *
 * @param cost n x n, row by row
 * @returns the column of each row
 * @throws {RangeError} if the cost is no square matrix of finite numbers
 */
export function assignment(cost: ArrayLike<number>): Int32Array {
  const n = Math.round(Math.sqrt(cost.length));
  if (n * n !== cost.length) throw new RangeError(`${cost.length} costs are no square`);
  for (let i = 0; i < cost.length; i++) if (!Number.isFinite(cost[i])) throw new RangeError('a cost is not finite');
  // Rows and columns count from 1; column 0 is where each path begins.
  const [rowPrice, columnPrice] = [new Float64Array(n + 1), new Float64Array(n + 1)];
  const rowOf = new Int32Array(n + 1);
  const before = new Int32Array(n + 1);
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row;
    let column = 0;
    const least = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
    const done = new Uint8Array(n + 1);
    do {
      done[column] = 1;
      const from = rowOf[column];
      let [step, next] = [Number.POSITIVE_INFINITY, 0];
      for (let j = 1; j <= n; j++) {
        if (done[j]) continue;
        const reduced = cost[(from - 1) * n + j - 1] - rowPrice[from] - columnPrice[j];
        if (reduced < least[j]) {
          least[j] = reduced;
          before[j] = column;
        }
        if (least[j] < step) [step, next] = [least[j], j];
      }
      for (let j = 0; j <= n; j++) {
        if (done[j]) {
          rowPrice[rowOf[j]] += step;
          columnPrice[j] -= step;
        } else least[j] -= step;
      }
      column = next;
    } while (rowOf[column] !== 0);
    for (; column !== 0; column = before[column]) rowOf[column] = rowOf[before[column]];
  }
  const columns = new Int32Array(n);
  for (let j = 1; j <= n; j++) columns[rowOf[j] - 1] = j - 1;
  return columns;
}
