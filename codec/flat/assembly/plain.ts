// PNG's row filters and deflate (docs/format.md, Plain and WebP).

import { CORRUPT, fail } from './error';
import { inflate } from './inflate';

/** Decodes rows of samples; returns their address, `height * rowBytes` bytes, 0 with an error. `distance`: bytes of a pixel. */
export function decodePlain(at: usize, bytes: usize, height: u64, rowBytes: u64, distance: usize): usize {
  const filtered = inflate(at, bytes, height * (1 + rowBytes));
  if (!filtered) return 0;
  const size = <usize>rowBytes;
  for (let y: usize = 0; y < <usize>height; y++) {
    const from = filtered + y * (1 + size);
    const filter = load<u8>(from);
    if (filter > 4) {
      fail(CORRUPT, 'damaged: a row names no filter that there is');
      return 0;
    }
    const row = filtered + y * size;
    memory.copy(row, from + 1, size);
    unfilter(filter, row, size, distance, y > 0);
  }
  return filtered;
}

/** Undoes a row's filter; the row above lies before it. */
function unfilter(filter: u8, row: usize, size: usize, distance: usize, isBelow: bool): void {
  if (filter == 0) return;
  for (let i: usize = 0; i < size; i++) {
    const hasLeft = i >= distance;
    const left = hasLeft ? <i32>load<u8>(row + i - distance) : 0;
    const up = isBelow ? <i32>load<u8>(row + i - size) : 0;
    let guess = left;
    if (filter == 2) guess = up;
    else if (filter == 3) guess = (left + up) >> 1;
    else if (filter == 4) guess = paeth(left, up, hasLeft && isBelow ? <i32>load<u8>(row + i - size - distance) : 0);
    store<u8>(row + i, <u8>(<i32>load<u8>(row + i) + guess));
  }
}

/** Of left, up and corner the one nearest to left + up - corner; on a tie the first of them in this order. */
@inline
function paeth(left: i32, up: i32, corner: i32): i32 {
  const toLeft = abs<i32>(up - corner);
  const toUp = abs<i32>(left - corner);
  const toCorner = abs<i32>(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
