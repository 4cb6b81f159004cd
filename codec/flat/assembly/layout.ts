// Where a model's parameters lie in its weights: the order of `modelParameters` in `models/definition.ts`.

import { alloc } from './arena';

/** Passes of a level: D, H, V. */
export const PASSES: i32 = 3;
/** Numbers that a tile tells about each channel's texture. */
export const TEXTURE_VALUES: i32 = 4;
/** Rows of the windows that each pass sees of the lattices known to it, four cells wide. */
const WINDOW_ROWS: StaticArray<i32> = [4, 7, 9];

/** What a model is: the definition in its file. */
@unmanaged
export class Definition {
  channels: i32;
  width: i32;
  expand: i32;
  separate: i32;
  carry: i32;
  levels: i32;
  mixtures: i32;
  hidden: i32;
  /** Residual blocks of the passes D, H and V. */
  blocksD: i32;
  blocksH: i32;
  blocksV: i32;
}

/** A pass's parameters, each by its bytes from the first weight. */
@unmanaged
export class PassLayout {
  stem: usize;
  /** A row for each of the definition's levels. */
  stemBias: usize;
  texture: usize;
  /** From the state of the pass before, which pass D does not have. */
  state: usize;
  stateBias: usize;
  /** The first residual block; each takes `blockBytes`. */
  blocks: usize;
  head: usize;
  headBias: usize;
  /** Behind the head's bias. */
  headEnd: usize;
}

/** A set of context weights: behind what it hands up to the next finer level lie its three passes. */
@unmanaged
export class ContextLayout {
  carry: usize;
  carryBias: usize;
}

const PASS: usize = offsetof<PassLayout>();
const CONTEXT: usize = offsetof<ContextLayout>() + <usize>PASSES * PASS;

@unmanaged
export class Layout {
  /** Address of the contexts: of the finest levels one each, then one for all coarser levels. */
  contexts: usize;
  contextCount: i32;
  /** The vector field's parameters, from the first byte to the end. */
  field: usize;
  fieldEnd: usize;
  /** Of all weights, in float32. */
  bytes: u64;
}

@inline
export function contextAt(layout: Layout, level: i32): ContextLayout {
  return changetype<ContextLayout>(layout.contexts + <usize>contextIndex(layout, level) * CONTEXT);
}

/** Number of the context weights at a level; 0 is the finest. */
@inline
export function contextIndex(layout: Layout, level: i32): i32 {
  return min<i32>(level, layout.contextCount - 1);
}

@inline
export function passAt(layout: Layout, level: i32, pass: i32): PassLayout {
  const context = changetype<usize>(contextAt(layout, level));
  return changetype<PassLayout>(context + offsetof<ContextLayout>() + <usize>pass * PASS);
}

/** Residual blocks of a pass. */
export function blocksOf(definition: Definition, pass: i32): i32 {
  return pass == 0 ? definition.blocksD : pass == 1 ? definition.blocksH : definition.blocksV;
}

/** Inputs of a pass's stem. */
export function stemInputs(definition: Definition, pass: i32): i32 {
  const channels = definition.channels;
  return unchecked(WINDOW_ROWS[pass]) * 4 * channels + 2 * channels + (pass == 0 ? definition.carry : 0);
}

/** Outputs of a head, filled up to a multiple of 8. */
export function headSize(definition: Definition): i32 {
  const d = definition.channels;
  const size = 2 * d + ((d * (d - 1)) >> 1) + 3 * d * definition.mixtures + d * definition.hidden;
  return (size + 7) & ~7;
}

/** Of either of a residual block's 1x1 convolutions. */
@inline
function matrixBytes(definition: Definition): usize {
  return <usize>(definition.width * definition.width * definition.expand) << 2;
}

/** A residual block's parameters, by their bytes from its first. */
export function depthwiseBias(definition: Definition): usize {
  return <usize>(9 * definition.width) << 2;
}

export function expandAt(definition: Definition): usize {
  return <usize>(10 * definition.width) << 2;
}

export function expandBias(definition: Definition): usize {
  return expandAt(definition) + matrixBytes(definition);
}

export function projectAt(definition: Definition): usize {
  return expandBias(definition) + (<usize>(definition.width * definition.expand) << 2);
}

export function projectBias(definition: Definition): usize {
  return projectAt(definition) + matrixBytes(definition);
}

export function blockBytes(definition: Definition): usize {
  return projectBias(definition) + (<usize>definition.width << 2);
}

/** Finds the places of a definition's parameters; of a definition within its limits they take less than 2^31 bytes. */
export function layOut(definition: Definition): Layout {
  const count = definition.separate + 1;
  const layout = changetype<Layout>(alloc(offsetof<Layout>()));
  const contexts = alloc(<u64>count * CONTEXT);
  if (!contexts) return layout;
  layout.contexts = contexts;
  layout.contextCount = count;
  const width = <usize>definition.width << 2;
  const channels = <usize>definition.channels;
  const head = <usize>headSize(definition) << 2;
  let at: usize = 0;
  for (let level = 0; level < count; level++) {
    for (let pass = 0; pass < PASSES; pass++) {
      const own = passAt(layout, level, pass);
      own.stem = at;
      own.stemBias = own.stem + <usize>stemInputs(definition, pass) * width;
      own.texture = own.stemBias + <usize>definition.levels * width;
      own.state = own.texture + <usize>TEXTURE_VALUES * channels * width;
      own.stateBias = pass == 0 ? own.state : own.state + <usize>definition.width * width;
      own.blocks = pass == 0 ? own.state : own.stateBias + width;
      own.head = own.blocks + <usize>blocksOf(definition, pass) * blockBytes(definition);
      own.headBias = own.head + <usize>definition.width * head;
      own.headEnd = own.headBias + head;
      at = own.headEnd;
    }
    const context = contextAt(layout, level);
    const carried = <usize>(4 * definition.carry) << 2;
    context.carry = at;
    context.carryBias = at + <usize>definition.width * carried;
    at = context.carryBias + carried;
  }
  layout.field = at;
  const hidden = <usize>definition.hidden << 2;
  // Others, a, b and bias have a row of hidden units each for each coordinate, or pair; then the biases of a and b.
  layout.fieldEnd = at + (((channels * (channels - 1)) >> 1) + 3 * channels) * hidden + ((2 * channels) << 2);
  layout.bytes = layout.fieldEnd;
  return layout;
}
