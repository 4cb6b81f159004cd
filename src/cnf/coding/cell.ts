/**
 * A cell's index, which coders hold in 32 bits.
 *
 * @throws {RangeError} if it needs more
 */
export function cellIndex(index: number): number {
  if (index !== (index | 0)) throw new RangeError(`the cell ${index} is out of a coder's reach: take a coarser grid`);
  return index;
}
