/**
 * What a model is: the sizes of its context network and of its flow, and where each parameter lies in the one flat
 * float32 array that holds them all. Trainer, codec and TensorFlow.js engine read this file and nothing else.
 */

/** The three passes of a pyramid level, in decoding order (see `codec/pyramid.ts`). */
export const PASSES = ['D', 'H', 'V'] as const;
export type Pass = (typeof PASSES)[number];

export interface ModelDefinition {
  /** Coordinates of a site's flow: 3 for colour (Y, Co, Cg), 1 for gray. */
  readonly channels: 1 | 3;
  /** Channels of the context network; a multiple of 8. */
  readonly width: number;
  /** Residual blocks of each pass, in the order of `PASSES`. */
  readonly blocks: readonly [number, number, number];
  /** Hidden channels of a block, in multiples of the width. */
  readonly expand: number;
  /** Finest levels whose context network has weights of its own; all coarser levels share one set more. */
  readonly separate: number;
  /** Features that a level's network hands up to each cell of the next finer level; a multiple of 8. */
  readonly carry: number;
  /** Pyramid levels with a stem bias of their own; coarser ones share the last. */
  readonly levels: number;
  /** Logistics in each coordinate's base density; 1 to 4. */
  readonly mixtures: number;
  /** Hidden units of the vector field, per coordinate; a multiple of 4. */
  readonly hidden: number;
  /** Lie-Trotter sweeps of the splitting integrator: N of them, each over h = 1/N. */
  readonly sweeps: number;
  /** True: one field for all times, where t enters as a bias of each sweep. False: weights of its own for every sweep. */
  readonly tied: boolean;
}

/** How a parameter is drawn before training: normal with variance gain / fanIn; gain 0 means zeros. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Index of the first element in the flat array. */
  readonly offset: number;
  readonly size: number;
  readonly fanIn: number;
  readonly gain: number;
}

/** Where a site's raw flow parameters lie in a row of the head's output (`site.ts` among the kernels reads them); `size` is padded
 * to a multiple of 8. */
export interface HeadLayout {
  readonly mean: number;
  readonly logScale: number;
  readonly binCentre: number;
  readonly binLogScale: number;
  readonly shear: number;
  readonly mixLogit: number;
  readonly mixMean: number;
  readonly mixLogScale: number;
  readonly projection: number;
  readonly size: number;
}

export function headLayout({ channels: d, mixtures, hidden }: ModelDefinition): HeadLayout {
  const shear = 4 * d;
  const mixLogit = shear + (d * (d - 1)) / 2;
  const mixMean = mixLogit + d * mixtures;
  const mixLogScale = mixMean + d * mixtures;
  const projection = mixLogScale + d * mixtures;
  const size = Math.ceil((projection + d * hidden) / 8) * 8;
  return {
    mean: 0,
    logScale: d,
    binCentre: 2 * d,
    binLogScale: 3 * d,
    shear,
    mixLogit,
    mixMean,
    mixLogScale,
    projection,
    size,
  };
}

/** Rows of the 4-wide neighbourhood windows that each pass sees of the lattices known to it (`features` among the kernels). */
const WINDOW_ROWS: Record<Pass, number> = { D: 4, H: 3 + 4, V: 2 + 3 + 4 };

/** Inputs of a pass's stem: window differences, the local mean and log spread, and for D the features carried up. */
export function stemInputs(pass: Pass, { channels, carry }: ModelDefinition): number {
  return WINDOW_ROWS[pass] * 4 * channels + 2 * channels + (pass === 'D' ? carry : 0);
}

/** Numbers that a tile tells about each channel's texture (`codec/texture.ts`). */
export const TEXTURE_VALUES = 4;

/** All parameters in the order of the flat array. */
export function parameters(def: ModelDefinition): Parameter[] {
  const list: Parameter[] = [];
  let offset = 0;
  const add = (name: string, shape: number[], fanIn: number, gain: number) => {
    const size = shape.reduce((a, b) => a * b, 1);
    list.push({ name, shape, offset, size, fanIn, gain });
    offset += size;
  };
  const { width, channels: d, hidden, sweeps, carry } = def;
  const head = headLayout(def).size;
  const inner = def.expand * width;
  for (let set = 0; set <= def.separate; set++) {
    for (const [i, pass] of PASSES.entries()) {
      const inputs = stemInputs(pass, def);
      const name = `${set}.${pass}`;
      add(`${name}.stem.weight`, [inputs, width], inputs, 1);
      add(`${name}.stem.bias`, [def.levels, width], 1, 0);
      add(`${name}.texture.weight`, [TEXTURE_VALUES * d, width], 1, 0);
      if (pass !== 'D') {
        add(`${name}.state.weight`, [width, width], width, 1);
        add(`${name}.state.bias`, [width], 1, 0);
      }
      for (let b = 0; b < def.blocks[i]; b++) {
        const block = `${name}.block${b}`;
        add(`${block}.depthwise.weight`, [3, 3, width], 9, 1);
        add(`${block}.depthwise.bias`, [width], 1, 0);
        add(`${block}.expand.weight`, [width, inner], width, 2);
        add(`${block}.expand.bias`, [inner], 1, 0);
        add(`${block}.project.weight`, [inner, width], inner, 0.1);
        add(`${block}.project.bias`, [width], 1, 0);
      }
      add(`${name}.head.weight`, [width, head], width, 0.05);
      add(`${name}.head.bias`, [head], 1, 0);
    }
    add(`${set}.carry.weight`, [width, 4 * carry], width, 1);
    add(`${set}.carry.bias`, [4 * carry], 1, 0);
  }
  const sets = def.tied ? 1 : sweeps;
  add('field.others', [sets, d, Math.max(d - 1, 0), hidden], d, 1);
  add('field.a', [sets, d, hidden], hidden, 0.1);
  add('field.b', [sets, d, hidden], hidden, 0.1);
  add('field.bias', [sweeps, d, hidden], 1, 0);
  add('field.aBias', [sweeps, d], 1, 0);
  add('field.bBias', [sweeps, d], 1, 0);
  return list;
}

/**
 * Name of a context network's parameter at a level (0 is the finest), from its name within a set of weights.
 */
export function levelParameter(name: string, level: number, { separate }: ModelDefinition): string {
  return `${Math.min(level, separate)}.${name}`;
}

/** Multiply-adds for each pixel of a large image: context network of all levels, heads, and the flow's vector field. */
export function multiplyAdds(def: ModelDefinition): number {
  const { width, expand, blocks, carry, channels, hidden, sweeps } = def;
  const block = 9 * width + 2 * expand * width * width;
  let cell = 2 * width * width;
  for (const [i, pass] of PASSES.entries()) cell += stemInputs(pass, def) * width + blocks[i] * block;
  const field = sweeps * channels * (channels + 1) * hidden;
  // A level has a cell for every four of its pixels and each level a quarter of the finer one's: a third of the pixels' number.
  return cell / 3 + (width * 4 * carry) / 12 + width * headLayout(def).size + field;
}

/** Number of float32 parameters in all. */
export function parameterCount(def: ModelDefinition): number {
  const last = parameters(def).at(-1)!;
  return last.offset + last.size;
}
