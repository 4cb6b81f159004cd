// The kernels' WebAssembly module: everything that decides a bit of a file. The caller owns the memory from `heapBase` on
// and passes addresses in bytes; maps and rows must be aligned to 16.

export { BASE_SHARE, FLOOR } from './bins';
export { binSlot, decodeRow, noteBytes, noteRow, sitesOpen } from './code';
export {
  correctionBytes,
  correctionLearn,
  correctionMap,
  correctionOpen,
  correctionWeights,
  correctRow,
} from './correction';
export { depthwise, depthwiseGradient, reverseTaps } from './depthwise';
export { depthOpen, meanGain, meanLimit, highestLogScale } from './depth';
export { CLAMP, flowOpen, RATE_BOUND } from './field';
export { flowBytes } from './group';
export {
  collectCarry,
  extendLattice,
  features,
  LEAST_SPREAD,
  mergeLattice,
  splitLattice,
  spreadCarry,
} from './lattice';
export { lossRow } from './loss';
export { normalCdf } from './normal';
export { learn, learnerBytes, learnerOpen, learnerRates, learnerReset, learnerTotal, learnRest } from './optimizer';
export {
  mapProduct,
  mapProductGradient,
  product,
  productBiasGradient,
  productWeightGradient,
  reluGradient,
  transpose,
} from './product';
export { quantize, quantizedProduct, quantizeWeights } from './quantized';
export {
  peek,
  pop,
  popUniform,
  push,
  pushUniform,
  stackCount,
  stackFailed,
  stackHigh,
  stackJoin,
  stackLow,
  stackLowest,
  stackOpen,
} from './stack';
export { pushNotes } from './symbol';

export {
  headRates,
  LOG_SCALE_BOUND,
  LOG_SCALE_CENTRE,
  LOWEST_LOG_SCALE,
  MIX_LOG_SCALE_BOUND,
  MIX_MEAN_BOUND,
  SHEAR_BOUND,
} from './site';

/** First address that the module does not use itself. */
export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}
