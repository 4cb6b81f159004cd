/**
 * What a model is: the sizes of its context network and of its flow, and where each parameter lies in the one flat
 * float32 array that holds them all. Trainer, codec and TensorFlow.js engine read this file and nothing else.
 */

/** The three passes of a pyramid level, in decoding order (see `codec/flow/pyramid.ts`). */
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
}

/** What a parameter does: `hidden` matrices lie between layers; `filter`s are depthwise; `bias`es are added. */
export type Role = 'hidden' | 'filter' | 'bias' | 'head' | 'field';

/** One parameter of the flat array. Before training it is normal with variance gain / fanIn; gain 0 means zeros. */
export interface Parameter {
  /** For people: `0.D.stem.weight`. */
  readonly name: string;
  readonly role: Role;
  readonly shape: readonly number[];
  /** Index of the first element in the flat array. */
  readonly offset: number;
  readonly size: number;
  readonly fanIn: number;
  readonly gain: number;
}

/** A linear map and what is added to it: `weight` is inputs x outputs (of a depthwise filter 3 x 3 x channels). */
export interface Affine {
  readonly weight: Parameter;
  readonly bias: Parameter;
}

export interface BlockParameters {
  readonly depthwise: Affine;
  readonly expand: Affine;
  readonly project: Affine;
}

export interface PassParameters {
  /** Its bias has a row for each of the definition's `levels`. */
  readonly stem: Affine;
  /** What the tile's texture adds to the stem. */
  readonly texture: Parameter;
  /** From the state of the pass before, which pass D does not have. */
  readonly state?: Affine;
  readonly blocks: readonly BlockParameters[];
  readonly head: Affine;
}

/** The context network's weights at some levels. */
export interface ContextParameters {
  readonly passes: Record<Pass, PassParameters>;
  /** From a level's last state to the features of the next finer level, whose weights these are. */
  readonly carry: Affine;
}

/** The vector field: for each coordinate an MLP with one hidden layer. */
export interface FieldParameters {
  /** From earlier coordinates: of 1 from 0, of 2 from 0, of 2 from 1. */
  readonly others: Parameter;
  readonly a: Parameter;
  readonly b: Parameter;
  readonly bias: Parameter;
  readonly aBias: Parameter;
  readonly bBias: Parameter;
}

export interface ModelParameters {
  /** Of the finest levels one each, then one for all coarser levels. */
  readonly contexts: readonly ContextParameters[];
  readonly field: FieldParameters;
  /** All of them in the order of the flat array, and how many numbers they are. */
  readonly all: readonly Parameter[];
  readonly count: number;
}

/** Where a site's raw flow parameters lie in a row of the head's output (`site.ts` among the kernels reads them); `size` is padded
 * to a multiple of 8. */
export interface HeadLayout {
  readonly mean: number;
  readonly logScale: number;
  readonly shear: number;
  readonly mixLogit: number;
  readonly mixMean: number;
  readonly mixLogScale: number;
  readonly projection: number;
  readonly size: number;
}

export function headLayout({ channels: d, mixtures, hidden }: ModelDefinition): HeadLayout {
  const shear = 2 * d;
  const mixLogit = shear + (d * (d - 1)) / 2;
  const mixMean = mixLogit + d * mixtures;
  const mixLogScale = mixMean + d * mixtures;
  const projection = mixLogScale + d * mixtures;
  const size = Math.ceil((projection + d * hidden) / 8) * 8;
  return {
    mean: 0,
    logScale: d,
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

/** Numbers that a tile tells about each channel's texture (`codec/flow/texture.ts`). */
export const TEXTURE_VALUES = 4;

/** Where all parameters of a model lie. The order is that of model files, and of the random numbers that they begin with. */
export function modelParameters(def: ModelDefinition): ModelParameters {
  const all: Parameter[] = [];
  let count = 0;
  const add = (name: string, role: Role, shape: number[], fanIn: number, gain: number): Parameter => {
    const size = shape.reduce((a, b) => a * b, 1);
    const parameter = { name, role, shape, offset: count, size, fanIn, gain };
    all.push(parameter);
    count += size;
    return parameter;
  };
  const zeros = (name: string, role: Role, ...shape: number[]) => add(name, role, shape, 1, 0);
  const affine = (name: string, role: 'hidden' | 'head', inputs: number, outputs: number, gain: number): Affine => ({
    weight: add(`${name}.weight`, role, [inputs, outputs], inputs, gain),
    bias: zeros(`${name}.bias`, role === 'head' ? 'head' : 'bias', outputs),
  });
  const { width, channels: d, hidden, carry } = def;
  const inner = def.expand * width;
  const block = (name: string): BlockParameters => ({
    depthwise: {
      weight: add(`${name}.depthwise.weight`, 'filter', [3, 3, width], 9, 1),
      bias: zeros(`${name}.depthwise.bias`, 'bias', width),
    },
    expand: affine(`${name}.expand`, 'hidden', width, inner, 2),
    project: affine(`${name}.project`, 'hidden', inner, width, 0.1),
  });
  const passParameters = (name: string, pass: Pass): PassParameters => {
    const inputs = stemInputs(pass, def);
    return {
      stem: {
        weight: add(`${name}.stem.weight`, 'hidden', [inputs, width], inputs, 1),
        bias: zeros(`${name}.stem.bias`, 'bias', def.levels, width),
      },
      texture: zeros(`${name}.texture`, 'bias', TEXTURE_VALUES * d, width),
      state: pass === 'D' ? undefined : affine(`${name}.state`, 'hidden', width, width, 1),
      blocks: Array.from({ length: def.blocks[PASSES.indexOf(pass)] }, (_, b) => block(`${name}.block${b}`)),
      head: affine(`${name}.head`, 'head', width, headLayout(def).size, 0.05),
    };
  };
  const contexts = Array.from({ length: def.separate + 1 }, (_, set): ContextParameters => {
    const [D, H, V] = PASSES.map((pass) => passParameters(`${set}.${pass}`, pass));
    return { passes: { D, H, V }, carry: affine(`${set}.carry`, 'hidden', width, 4 * carry, 1) };
  });
  const field: FieldParameters = {
    others: add('field.others', 'field', [(d * (d - 1)) / 2, hidden], d, 1),
    a: add('field.a', 'field', [d, hidden], hidden, 0.1),
    b: add('field.b', 'field', [d, hidden], hidden, 0.1),
    bias: zeros('field.bias', 'field', d, hidden),
    aBias: zeros('field.aBias', 'field', d),
    bBias: zeros('field.bBias', 'field', d),
  };
  return { contexts, field, all, count };
}

/** The context network's weights at a level; 0 is the finest. */
export function contextAt({ contexts }: ModelParameters, level: number): ContextParameters {
  return contexts[Math.min(level, contexts.length - 1)];
}

/** Multiply-adds of a cell in a pass: context, head, and the flow's vector field. */
export function passMultiplyAdds(def: ModelDefinition, pass: Pass): number {
  const { width, expand, blocks, channels, hidden } = def;
  const block = 9 * width + 2 * expand * width * width;
  const state = pass === 'D' ? 0 : width * width;
  const field = ((channels * (channels - 1)) / 2 + 2 * channels) * hidden;
  const context = stemInputs(pass, def) * width + state + blocks[PASSES.indexOf(pass)] * block;
  return context + width * headLayout(def).size + field;
}

/** Multiply-adds for each pixel of a large image: context network of all levels, heads, and the flow's vector field. */
export function multiplyAdds(def: ModelDefinition): number {
  const cell = PASSES.reduce((sum, pass) => sum + passMultiplyAdds(def, pass), 0);
  // A level has a cell for every four of its pixels and each level a quarter of the finer one's: a third of the pixels' number.
  return cell / 3 + (def.width * 4 * def.carry) / 12;
}
