// A trained model's file (`codec/flow/model.ts` has its layout), and the models at hand.

import { MODEL_VERSION } from '../../flow/version';
import { alloc, mark, release } from './arena';
import { Reader, readerOf } from './bytes';
import { BAD_MODEL, fail, failed, failing, tell, tellNumber } from './error';
import { enter, isKey, nextElement, nextKey, number, skipValue } from './json';
import { Definition, Layout, layOut } from './layout';
import { hashStart } from './sha256';

const MAGIC: u32 = 0x4d464e43;
const MOST_HEADER: usize = 65536;

@unmanaged
export class Model {
  /** The model that was added before. */
  before: Model;
  /** The first 8 bytes of its file's SHA-256. */
  hash: u64;
  /** How fast a flow learns: its heads, its field, the correction, its last blocks. */
  headRate: f64;
  fieldRate: f64;
  correctionRate: f64;
  blockRate: f64;
  definition: Definition;
  layout: Layout;
  /** Address of its weights, float32. */
  weights: usize;
}

/** The model that was added last. */
let last: usize = 0;

const reader = changetype<Reader>(memory.data(offsetof<Reader>()));
let version: f64 = 0;

/** The model of a hash; 0 if it is not at hand. */
export function modelOf(hash: u64): usize {
  for (let at = last; at; at = changetype<usize>(changetype<Model>(at).before)) {
    if (changetype<Model>(at).hash == hash) return at;
  }
  return 0;
}

export function forgetModels(): void {
  last = 0;
}

/** Adds the model whose file lies at an address, the last that was taken of the arena: the weights take its place. */
export function addModelAt(at: usize, bytes: usize): bool {
  if (bytes < 8 || load<u32>(at) != MAGIC) return unusable('it does not start with CNFM');
  const header = <usize>load<u32>(at, 4);
  if (header > MOST_HEADER || header > bytes - 8) return unusable('its header is cut short');
  const hash = hashStart(at, bytes);
  if (modelOf(hash)) {
    release(at);
    return true;
  }
  const model = changetype<Model>(alloc(offsetof<Model>()));
  const definition = changetype<Definition>(alloc(offsetof<Definition>()));
  if (failed()) return false;
  model.hash = hash;
  model.definition = definition;
  readHeader(readerOf(reader, at + 8, header), model);
  if (failed() || !checkHeader(model)) return false;
  model.layout = layOut(definition);
  if (failed()) return false;
  const start = (header + 11) & ~3;
  const wanted = <usize>(model.layout.bytes >> 1);
  if (start > bytes || bytes - start != wanted) {
    if (failing(BAD_MODEL)) {
      tell('not a usable model file: it does not hold ');
      tellNumber(wanted);
      tell(' bytes of weights');
    }
    return false;
  }
  return takeWeights(model, at + start) && settle(model, at);
}

function unusable(why: string): bool {
  if (failing(BAD_MODEL)) {
    tell('not a usable model file: ');
    tell(why);
  }
  return false;
}

function readHeader(from: Reader, model: Model): void {
  version = 0;
  model.headRate = -1;
  model.fieldRate = -1;
  model.correctionRate = -1;
  model.blockRate = -1;
  memory.fill(changetype<usize>(model.definition), 255, offsetof<Definition>());
  if (!enter(from, 0x7b)) return;
  for (let isFirst = true; nextKey(from, isFirst); isFirst = false) {
    if (isKey('version')) version = number(from);
    else if (isKey('definition')) readDefinition(from, model.definition);
    else if (isKey('rates')) readRates(from, model);
    else skipValue(from);
  }
}

function readRates(from: Reader, model: Model): void {
  if (!enter(from, 0x7b)) return;
  for (let isFirst = true; nextKey(from, isFirst); isFirst = false) {
    if (isKey('head')) model.headRate = number(from);
    else if (isKey('field')) model.fieldRate = number(from);
    else if (isKey('correction')) model.correctionRate = number(from);
    else if (isKey('block')) model.blockRate = number(from);
    else skipValue(from);
  }
}

function readDefinition(from: Reader, definition: Definition): void {
  if (!enter(from, 0x7b)) return;
  for (let isFirst = true; nextKey(from, isFirst); isFirst = false) {
    if (isKey('channels')) definition.channels = integer(from);
    else if (isKey('width')) definition.width = integer(from);
    else if (isKey('blocks')) readBlocks(from, definition);
    else if (isKey('expand')) definition.expand = integer(from);
    else if (isKey('separate')) definition.separate = integer(from);
    else if (isKey('carry')) definition.carry = integer(from);
    else if (isKey('levels')) definition.levels = integer(from);
    else if (isKey('mixtures')) definition.mixtures = integer(from);
    else if (isKey('hidden')) definition.hidden = integer(from);
    else unusable('its definition has what is not known');
  }
}

function readBlocks(from: Reader, definition: Definition): void {
  if (!enter(from, 0x5b)) return;
  for (let i = 0; nextElement(from, i == 0); i++) {
    const count = integer(from);
    if (i == 0) definition.blocksD = count;
    else if (i == 1) definition.blocksH = count;
    else if (i == 2) definition.blocksV = count;
    else unusable('its passes are not three');
  }
}

/** A number that is an integer from 0 on; others are -1, which no definition has. */
function integer(from: Reader): i32 {
  const value = number(from);
  return value >= 0 && value <= 65536 && floor<f64>(value) == value ? <i32>value : -1;
}

@inline
function within(value: i32, low: i32, high: i32, multiple: i32 = 1): bool {
  return value >= low && value <= high && value % multiple == 0;
}

@inline
function isRate(rate: f64): bool {
  return rate >= 0 && rate <= 1;
}

function checkHeader(model: Model): bool {
  if (version != <f64>MODEL_VERSION) {
    if (failing(BAD_MODEL)) {
      tell('not a usable model file: it is of another version than ');
      tellNumber(MODEL_VERSION);
    }
    return false;
  }
  const d = model.definition;
  const isGood =
    (d.channels == 1 || d.channels == 3) &&
    within(d.width, 8, 256, 8) &&
    within(d.blocksD, 0, 16) &&
    within(d.blocksH, 0, 16) &&
    within(d.blocksV, 0, 16) &&
    within(d.expand, 1, 8) &&
    within(d.separate, 0, 8) &&
    within(d.carry, 8, 64, 8) &&
    within(d.levels, 1, 32) &&
    within(d.mixtures, 1, 4) &&
    within(d.hidden, 4, 256, 4);
  if (!isGood) return unusable('its definition is out of range');
  const areRates = isRate(model.headRate) && isRate(model.fieldRate) && isRate(model.correctionRate);
  if (areRates && isRate(model.blockRate)) return true;
  return unusable('its rates of learning are not within 0 and 1');
}

/** Turns halves (IEEE 754 binary16) into float32, which hold them exactly. */
function takeWeights(model: Model, from: usize): bool {
  const weights = alloc(model.layout.bytes);
  if (!weights) return false;
  model.weights = weights;
  const count = <usize>model.layout.bytes >> 2;
  for (let i: usize = 0; i < count; i++) {
    const half = <u32>load<u16>(from + (i << 1));
    const size = half & 0x7fff;
    if (size >= 0x7c00) return unusable('a weight is not a finite number');
    const value = size < 0x400 ? <f32>size / 16777216 : reinterpret<f32>((size << 13) + 0x38000000);
    store<f32>(weights + (i << 2), half & 0x8000 ? -value : value);
  }
  return true;
}

/** Keeps a model, and gives the room of its file back: everything behind that moves into it. */
function settle(model: Model, file: usize): bool {
  const from = changetype<usize>(model);
  const end = mark();
  const by = from - file;
  memory.copy(file, from, end - from);
  release(end - by);
  const moved = changetype<Model>(file);
  moved.definition = changetype<Definition>(changetype<usize>(moved.definition) - by);
  moved.layout = changetype<Layout>(changetype<usize>(moved.layout) - by);
  moved.layout.contexts -= by;
  moved.weights -= by;
  moved.before = changetype<Model>(last);
  last = file;
  return true;
}
