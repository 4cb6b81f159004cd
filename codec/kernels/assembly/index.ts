// The kernels' WebAssembly module: everything that decides a bit of a file. The caller owns the memory from `heapBase` on
// and passes addresses in bytes; maps and rows must be aligned to 16.

export { popSymbol, pushSymbol } from './base';
export { popBin, pushBin } from './bins';
export { decodeRow, encodeRow } from './code';
export { depthwise, depthwiseGradient, reverseTaps } from './depthwise';
export { fieldOpen } from './field';
export { flowSite } from './flow';
export { depthOpen } from './grids';
export { collectCarry, extendLattice, features, mergeLattice, splitLattice, spreadCarry } from './lattice';
export { lossRow } from './loss';
export { normalCdf } from './normal';
export {
  mapProduct,
  mapProductGradient,
  product,
  productBiasGradient,
  productWeightGradient,
  reluGradient,
  transpose,
} from './product';
export {
  peek,
  pop,
  popUniform,
  push,
  pushUniform,
  stackCount,
  stackFailed,
  stackHigh,
  stackLow,
  stackLowest,
  stackOpen,
} from './stack';

/** First address that the module does not use itself. */
export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}
