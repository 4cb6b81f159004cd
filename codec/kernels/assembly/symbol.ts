// A coordinate's samples on the stack: of each lane the slots of its bin, what an escape tells of a bin outside the window, and the
// sample's bits below its bin. Lane j of a group is on the state j of the stack, modulo the number of its states.

import { BIN_BITS, BINS, binOf, ESCAPE, ESCAPE_SLOTS, findBins, inWindow, takeBins } from './bins';
import { Coordinate, Flow, LANES } from './group';
import { LN2, log4 } from './math';
import { peekFrom, popBits, popFrom, popUniformFrom, pushBits, pushTo, pushUniformTo, states } from './stack';

/** Binary digits of the least distance outside the window, and how many lengths there are up to 22 digits. */
const ESCAPE_LENGTH: u32 = 12;
const ESCAPE_LENGTHS: u32 = 11;

/** Nats of the escape: its slots and the choice of a length and a sign; to which the length's digits come. */
const ESCAPE_NATS: f32 = 8.317766 + 2.3978953 + 0.6931472;

/** Distance of a bin outside the window from its middle: at least BINS / 2 on either side. */
@inline
function distanceOf(bin: i32): u32 {
  const from = bin - BINS / 2;
  return <u32>(from < 0 ? ~from : from);
}

@inline
function digits(value: u32): u32 {
  return 32 - <u32>clz<u32>(value);
}

function pushEscaped(state: u32, bin: i32): void {
  const distance = distanceOf(bin);
  const length = digits(distance);
  const leading = <u32>1 << (length - 9);
  pushBits(state, distance & 0xff, 8);
  pushUniformTo(state, (distance >> 8) - leading, leading);
  pushUniformTo(state, length - ESCAPE_LENGTH, ESCAPE_LENGTHS);
  pushBits(state, bin < 0 ? 1 : 0, 1);
}

function popEscaped(state: u32): i32 {
  popFrom(state, ESCAPE, ESCAPE_SLOTS, BIN_BITS);
  const below = popBits(state, 1);
  const length = popUniformFrom(state, ESCAPE_LENGTHS) + ESCAPE_LENGTH;
  const leading = <u32>1 << (length - 9);
  const high = popUniformFrom(state, leading) + leading;
  const distance = <i32>((high << 8) | popBits(state, 8));
  return (below ? ~distance : distance) + BINS / 2;
}

/** Nats of the lanes whose samples lie outside the window, but for their lower bits; 0 in others. */
export function escapeNats(bin: v128): v128 {
  const outside = v128.not(inWindow(bin));
  if (!v128.any_true(outside)) return f32x4.splat(0);
  const from = i32x4.trunc_sat_f32x4_s(f32x4.sub(bin, f32x4.splat(<f32>(BINS / 2))));
  // -1 - x has the digits of the distance where x is negative; an exponent of float32 counts them: no distance has more than 24.
  const distance = f32x4.convert_i32x4_s(v128.xor(from, i32x4.shr_s(from, 31)));
  const more = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(distance, 23), i32x4.splat(127)));
  return v128.and(f32x4.add(f32x4.splat(ESCAPE_NATS), f32x4.mul(more, f32x4.splat(LN2))), outside);
}

/** Nats of the lower bits. */
@inline
export function lowerNats(at: Coordinate): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(at.shift), f32x4.splat(LN2));
}

/** Finds what is to be pushed for the samples of an open coordinate. */
export function takeSymbols(flow: Flow, at: Coordinate): void {
  const floor = f32x4.mul(f32x4.floor(f32x4.mul(at.x, at.perSample)), at.samples);
  at.low = i32x4.trunc_sat_f32x4_s(f32x4.sub(at.x, floor));
  takeBins(flow, at, binOf(at, at.x));
}

/** Bits that the symbols will take: only for measuring. */
export function symbolBits(at: Coordinate): v128 {
  const bin = f32x4.convert_i32x4_s(at.bin);
  const share = f32x4.sub(f32x4.splat(<f32>BIN_BITS * LN2), log4(f32x4.convert_i32x4_s(at.frequency)));
  const nats = f32x4.add(f32x4.add(v128.and(share, inWindow(bin)), escapeNats(bin)), lowerNats(at));
  return f32x4.div(nats, f32x4.splat(LN2));
}

/**
 * What is to be pushed for a coordinate of a group. The encoder goes in the decoder's order and leaves these; as the stack is last in,
 * first out, they are pushed at the end, from the last to the first.
 */
@unmanaged
export class Note {
  /** First slot in 24 bits; above them the low byte of the lower bits, of which there are up to 15. */
  start: v128;
  /** Slots in 24 bits, or the bin of an escape; above them the high byte of the lower bits. These stand behind a bit that is set, but in lanes without a site. */
  extent: v128;
}

export const NOTE: usize = offsetof<Note>();
const SLOT_BITS: i32 = 24;

/** Notes what `takeSymbols` found in the given lanes. */
export function noteSymbols(at: Coordinate, lanes: v128, note: Note): void {
  const extent = v128.bitselect(at.bin, at.frequency, i32x4.eq(at.start, i32x4.splat(ESCAPE)));
  const lower = v128.and(v128.or(at.low, i32x4.trunc_sat_f32x4_s(at.samples)), lanes);
  const slots = i32x4.splat((1 << SLOT_BITS) - 1);
  note.start = v128.or(at.start, i32x4.shl(lower, SLOT_BITS));
  note.extent = v128.or(v128.and(extent, slots), i32x4.shl(i32x4.shr_u(lower, 8), SLOT_BITS));
}

/** The state that a lane's symbols are on. */
@inline
function stateOf(lane: i32): u32 {
  return <u32>lane & (states - 1);
}

/** A coordinate's numbers of one lane, as `Coordinate` lays them out. */
@inline
function laneOf(at: Coordinate, lane: i32): usize {
  return changetype<usize>(at) + (<usize>lane << 2);
}

/** Pushes the notes between two addresses, the last first. */
export function pushNotes(from: usize, to: usize): void {
  for (let note = to - NOTE; note >= from; note -= NOTE) {
    for (let lane = LANES - 1; lane >= 0; lane--) {
      const own = note + (<usize>lane << 2);
      const state = stateOf(lane);
      const first = load<u32>(own, offsetof<Note>('start'));
      const second = load<u32>(own, offsetof<Note>('extent'));
      const lower = (first >> SLOT_BITS) | ((second >> SLOT_BITS) << 8);
      if (lower == 0) continue;
      const start = first & ((1 << SLOT_BITS) - 1);
      const extent = second & ((1 << SLOT_BITS) - 1);
      const shift = digits(lower) - 1;
      if (shift) pushBits(state, lower ^ (1 << shift), shift);
      if (start == ESCAPE) pushEscaped(state, <i32>(second << 8) >> 8);
      pushTo(state, start, start == ESCAPE ? ESCAPE_SLOTS : extent, BIN_BITS);
    }
  }
}

/** The slots that the lanes' states show. */
const slots: usize = memory.data(16, 16);

/** Pops the samples of the first `count` lanes of an open coordinate; searches at once as many lanes as the stack has states. */
export function popSymbols(flow: Flow, at: Coordinate, count: i32): void {
  const width = <i32>states;
  for (let first: i32 = 0; first < count; first += width) {
    const end = min<i32>(first + width, count);
    for (let lane = first; lane < end; lane++) {
      store<f32>(slots + (<usize>lane << 2), <f32>peekFrom(stateOf(lane), BIN_BITS));
    }
    const slot = v128.load(slots);
    const lanes = i32x4(0, 1, 2, 3);
    const wanted = v128.and(i32x4.ge_s(lanes, i32x4.splat(first)), i32x4.lt_s(lanes, i32x4.splat(end)));
    findBins(flow, at, slot, v128.and(wanted, f32x4.lt(slot, f32x4.splat(<f32>ESCAPE))));
    for (let lane = first; lane < end; lane++) popSymbol(at, lane);
  }
  // Spare lanes repeat the last site, as they do where the samples are known before.
  const last = laneOf(at, count - 1);
  for (let lane = count; lane < LANES; lane++) store<f32>(laneOf(at, lane), load<f32>(last));
}

/** Pops a lane's sample, whose bin is found unless its slot is the escape's. */
@inline
function popSymbol(at: Coordinate, lane: i32): void {
  const own = laneOf(at, lane);
  const state = stateOf(lane);
  let bin = load<i32>(own, offsetof<Coordinate>('bin'));
  if (peekFrom(state, BIN_BITS) >= ESCAPE) {
    bin = popEscaped(state);
  } else {
    popFrom(state, load<u32>(own, offsetof<Coordinate>('start')), load<u32>(own, offsetof<Coordinate>('frequency')), BIN_BITS);
  }
  const shift = load<u32>(own, offsetof<Coordinate>('shift'));
  const low = shift ? <i32>popBits(state, shift) : 0;
  const first = <i32>load<f32>(own, offsetof<Coordinate>('first'));
  store<f32>(own, <f32>(((first + bin) << shift) | low), offsetof<Coordinate>('x'));
}
