/** The Node that runs this, with and without what V8 may do for WebAssembly: extensions of x86, baseline and optimizing compiler. */
import { type Engine, scriptEngine } from './engine.js';

const NO_AVX = ['--no-enable-avx'];
const NO_SSE4 = [...NO_AVX, '--no-enable-sse4-1', '--no-enable-sse4-2', '--wasm-simd-ssse3-codegen'];
const BASELINE = ['--liftoff', '--no-wasm-tier-up'];
const OPTIMIZING = ['--no-liftoff'];

const VARIANTS: Record<string, string[]> = {
  Node: [],
  'Node, no AVX': NO_AVX,
  'Node, no AVX, no SSE4': NO_SSE4,
  'Node, baseline compiler': BASELINE,
  'Node, baseline compiler, no AVX': [...BASELINE, ...NO_AVX],
  'Node, optimizing compiler': OPTIMIZING,
  'Node, optimizing compiler, no AVX': [...OPTIMIZING, ...NO_AVX],
};

/** The first is Node as it is. */
export function nodeEngines(): Engine[] {
  return Object.entries(VARIANTS).map(([name, flags]) => {
    const remedy = `this Node does not know ${flags.join(' ')}`;
    return scriptEngine({ kind: 'node', name, remedy }, process.execPath, flags);
  });
}
