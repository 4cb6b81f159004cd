/**
 * The codec's conditional density of every coordinate in double precision: what `codec/kernels/assembly` computes (`site.ts`, `field.ts`,
 * `flow.ts`, `bins.ts`) from a head's raw outputs, laid open. A coordinate is one channel at one site; coordinate k of site i is number 3 i + k.
 */

import type { KernelConstant } from '../../codec/kernels/kernels.js';
import { type HeadLayout, headLayout, modelParameters, type Parameter } from '../../models/definition.js';
import type { Sites } from './data/sites.js';

/** Numbers of all coordinates, one each; of the logistics `mixtures` each. */
export interface Conditional {
  readonly count: number;
  /** z(0) of the lower edge of the sample's bin, and how wide the bin is there. */
  readonly lower: Float64Array;
  readonly width: Float64Array;
  /** dz/dt = rate z + drift. */
  readonly rate: Float64Array;
  readonly drift: Float64Array;
  /** The base at t = 1. */
  readonly mixtures: number;
  readonly weight: Float64Array;
  readonly mean: Float64Array;
  readonly inverse: Float64Array;
  /** Nothing is less likely than by this, in any bin: what coding shares out evenly, and the rest. */
  readonly floor: number;
  readonly share: number;
}

/**
 * @param within where in its bin an earlier coordinate is for those after it, in 0 .. 1: in the middle, as the codec has it, if not given
 */
export function conditional(sites: Sites, within: () => number = () => 0.5): Conditional {
  const { model, constant, count } = sites;
  const { definition, weights } = model;
  const { mixtures, hidden } = definition;
  const layout = headLayout(definition);
  const { field } = modelParameters(definition);
  const values = ({ offset, size }: Parameter) => weights.subarray(offset, offset + size);
  const [others, a, b, bias, aBias, bBias] = [field.others, field.a, field.b, field.bias, field.aBias, field.bBias].map(
    values,
  );
  const all = 3 * count;
  const numbers = (each = 1) => new Float64Array(all * each);
  const found = { lower: numbers(), width: numbers(), rate: numbers(), drift: numbers() };
  const base = { weight: numbers(mixtures), mean: numbers(mixtures), inverse: numbers(mixtures) };
  const clamp = constant('CLAMP');
  const centres = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const head = sites.heads.subarray(i * layout.size, (i + 1) * layout.size);
    for (let k = 0; k < 3; k++) {
      const at = 3 * i + k;
      const { mean, inverse } = place(sites, layout, i, k);
      let shear = 0;
      for (let o = 0; o < k; o++)
        shear += bounded(head[layout.shear + (k * (k - 1)) / 2 + o], constant('SHEAR_BOUND')) * centres[o];
      const x = sites.samples[at];
      found.lower[at] = (x - mean) * inverse + shear;
      found.width[at] = inverse;
      let [rate, drift] = [aBias[k], bBias[k]];
      for (let h = 0; h < hidden; h++) {
        let u = head[layout.projection + k * hidden + h] + bias[k * hidden + h];
        for (let o = 0; o < k; o++) {
          u += Math.min(clamp, Math.max(-clamp, centres[o])) * others[((k * (k - 1)) / 2 + o) * hidden + h];
        }
        const v = bounded(u, 1);
        rate += v * a[k * hidden + h];
        drift += v * b[k * hidden + h];
      }
      found.rate[at] = bounded(rate, constant('RATE_BOUND'));
      found.drift[at] = drift;
      centres[k] = (x + within() - mean) * inverse + shear;
      logistics(head, layout, k, mixtures, constant, at, base);
    }
  }
  return { count: all, ...found, mixtures, ...base, floor: constant('FLOOR'), share: constant('BASE_SHARE') };
}

/** Location and inverse scale of a coordinate, in samples. */
function place(sites: Sites, layout: HeadLayout, i: number, k: number): { mean: number; inverse: number } {
  const { constant, heads, locals } = sites;
  const head = i * layout.size;
  const [mean, spread, logSpread] = [0, 3, 6].map((from) => locals[9 * i + from + k]);
  const limit = constant('meanLimit');
  const relative = bounded(heads[head + layout.logScale + k], constant('LOG_SCALE_BOUND'));
  const logScale = logSpread + constant('LOG_SCALE_CENTRE') + relative;
  return {
    mean: Math.min(limit, Math.max(-limit, mean + spread * heads[head + layout.mean + k])),
    inverse: Math.exp(-Math.min(constant('highestLogScale'), Math.max(constant('LOWEST_LOG_SCALE'), logScale))),
  };
}

function logistics(
  head: Float32Array,
  layout: HeadLayout,
  k: number,
  mixtures: number,
  constant: (name: KernelConstant) => number,
  at: number,
  to: Pick<Conditional, 'weight' | 'mean' | 'inverse'>,
): void {
  const of = (start: number) => head.subarray(start + k * mixtures, start + (k + 1) * mixtures);
  const [logits, means, scales] = [layout.mixLogit, layout.mixMean, layout.mixLogScale].map(of);
  const highest = logits.reduce((one, other) => Math.max(one, other));
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
  for (let n = 0; n < mixtures; n++) {
    to.weight[at * mixtures + n] = Math.exp(logits[n] - highest) / total;
    to.mean[at * mixtures + n] = bounded(means[n], constant('MIX_MEAN_BOUND'));
    to.inverse[at * mixtures + n] = Math.exp(-bounded(scales[n], constant('MIX_LOG_SCALE_BOUND')));
  }
}

/** Lower edge and width of every coordinate's bin by what the head says of its place alone, before any coordinate is seen. */
export function placed(sites: Sites): Pick<Conditional, 'count' | 'lower' | 'width'> {
  const layout = headLayout(sites.model.definition);
  const count = 3 * sites.count;
  const [lower, width] = [new Float64Array(count), new Float64Array(count)];
  for (let at = 0; at < count; at++) {
    const { mean, inverse } = place(sites, layout, Math.floor(at / 3), at % 3);
    lower[at] = (sites.samples[at] - mean) * inverse;
    width[at] = inverse;
  }
  return { count, lower, width };
}

/** z(1) of z(0) under a coordinate's field: its closed solution. */
export function solved({ rate, drift }: Conditional, i: number, z: number): number {
  return Math.exp(rate[i]) * z + drift[i] * (Math.abs(rate[i]) < 1e-8 ? 1 : Math.expm1(rate[i]) / rate[i]);
}

/** Bits of a bin of coordinate i whose edges are at z(1); one whose edges changed places has no mass but the floor's. */
export function binBits(of: Conditional, i: number, lower: number, upper: number): number {
  const { mixtures, weight, mean, inverse, share, floor } = of;
  let mass = 0;
  for (let n = i * mixtures; n < (i + 1) * mixtures; n++) {
    mass += weight[n] * between((lower - mean[n]) * inverse[n], (upper - mean[n]) * inverse[n]);
  }
  return -Math.log2(share * Math.max(0, mass) + floor);
}

/** Bits of every coordinate's bin by the closed solution. */
export function exactBits(of: Conditional): Float64Array {
  const { count, lower, width } = of;
  return Float64Array.from({ length: count }, (_, i) =>
    binBits(of, i, solved(of, i, lower[i]), solved(of, i, lower[i] + width[i])),
  );
}

/** Density of the base of coordinate i. */
export function baseDensity({ mixtures, weight, mean, inverse }: Conditional, i: number, z: number): number {
  let density = 0;
  for (let n = i * mixtures; n < (i + 1) * mixtures; n++) {
    const tail = Math.exp(-Math.abs((z - mean[n]) * inverse[n]));
    density += (weight[n] * inverse[n] * tail) / (1 + tail) ** 2;
  }
  return density;
}

/** What a standard logistic has between two edges, on the side where both tails are small. */
function between(lower: number, upper: number): number {
  return lower > 0 ? sigmoid(-lower) - sigmoid(-upper) : sigmoid(upper) - sigmoid(lower);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function bounded(x: number, bound: number): number {
  return (x * bound) / (bound + Math.abs(x));
}
