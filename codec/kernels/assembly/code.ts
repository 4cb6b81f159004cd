// Coding the sites of a lattice row: at each site its coordinates one after the other, each given those before it.

import { binsOpen, Note, noteBits, noteSample, popSample, pushNote } from './bins';
import { channels } from './field';
import { centre, flowOpen } from './flow';
import { hold } from './math';

/** Normalized bin centres of a site's coordinates, and what knows nothing of them. */
const centres: usize = memory.data(16);
const unknown: usize = memory.data(16);

const NOTE = offsetof<Note>();
const notes: usize = memory.data(3 * offsetof<Note>());

@inline
function noteOf(k: i32): Note {
  return changetype<Note>(notes + <usize>k * NOTE);
}

@inline
function open(row: usize, local: usize, k: i32, centres: usize): void {
  flowOpen(row, local, k, centres);
  binsOpen(row, k);
}

/**
 * Pushes the samples of `columns` sites, the last first: `head` holds `headSize` floats a site, `x` one float32 a coordinate,
 * `locals` the three statistics of each. `tally` is 0 or receives two float32 a coordinate: its bits, and the bits that it would
 * take if the flow knew nothing of the coordinates before it.
 */
export function encodeRow(head: usize, headSize: i32, x: usize, locals: usize, columns: i32, tally: usize): void {
  hold(head, columns * headSize);
  for (let j: i32 = columns - 1; j >= 0; j--) {
    const row = head + (<usize>(j * headSize) << 2);
    const at = <usize>(j * channels) << 2;
    const local = locals + 3 * at;
    for (let k: i32 = 0; k < channels; k++) {
      const sample = load<f32>(x + at + (<usize>k << 2));
      const to = tally + 2 * (at + (<usize>k << 2));
      const note = noteOf(k);
      if (tally) {
        open(row, local, k, unknown);
        noteSample(note, <i32>sample);
        store<f32>(to, noteBits(note), 4);
      }
      open(row, local, k, centres);
      noteSample(note, <i32>sample);
      if (tally) store<f32>(to, noteBits(note));
      store<f32>(centres + (<usize>k << 2), centre(sample));
    }
    for (let k: i32 = channels - 1; k >= 0; k--) pushNote(noteOf(k));
  }
}

/** Pops what `encodeRow` pushed into `x`. */
export function decodeRow(head: usize, headSize: i32, x: usize, locals: usize, columns: i32): void {
  hold(head, columns * headSize);
  for (let j: i32 = 0; j < columns; j++) {
    const row = head + (<usize>(j * headSize) << 2);
    const at = <usize>(j * channels) << 2;
    for (let k: i32 = 0; k < channels; k++) {
      open(row, locals + 3 * at, k, centres);
      const sample = <f32>popSample();
      store<f32>(x + at + (<usize>k << 2), sample);
      store<f32>(centres + (<usize>k << 2), centre(sample));
    }
  }
}

/** Opens coordinate k of a site whose earlier samples `x` holds, so that `binSlot` tells its slots: for tests. */
export function siteOpen(row: usize, headSize: i32, x: usize, local: usize, k: i32): void {
  hold(row, headSize);
  for (let o: i32 = 0; o < k; o++) {
    flowOpen(row, local, o, centres);
    store<f32>(centres + (<usize>o << 2), centre(load<f32>(x + (<usize>o << 2))));
  }
  open(row, local, k, centres);
}
