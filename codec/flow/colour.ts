/**
 * Reversible colour: YCoCg-R lifting (Malvar, Sullivan 2003). Each step adds to one coordinate a function of the
 * others, so the transform is exact in integers: Y stays in 0 .. maxval, Co and Cg lie in -maxval .. maxval.
 */
import { allocSamples } from '../image.js';

/**
 * Interleaved samples of an image to what the flow codes: (R, G, B) to (Y, Co, Cg), gray as it is.
 *
 * @param samples `pixels * channels` samples
 * @param channels 1 or 3
 * @returns as many integers, interleaved in the same way
 */
export function forwardColour(samples: Uint8Array | Uint16Array, channels: 1 | 3): Int32Array {
  const out = new Int32Array(samples.length);
  putColour(samples, channels, out);
  return out;
}

/** As `forwardColour`, into an array of as many integers. */
export function putColour(samples: Uint8Array | Uint16Array, channels: 1 | 3, out: Int32Array | Float32Array): void {
  if (channels === 1) {
    out.set(samples);
    return;
  }
  for (let i = 0; i < out.length; i += 3) {
    const blue = samples[i + 2];
    const co = samples[i] - blue;
    const t = blue + (co >> 1);
    const cg = samples[i + 1] - t;
    out[i] = t + (cg >> 1);
    out[i + 1] = co;
    out[i + 2] = cg;
  }
}

/**
 * Undoes `forwardColour`. Coordinates that no image has wrap modulo 2^8 or 2^16: the checksum of the samples tells.
 *
 * @param coordinates `pixels * channels` integers: (Y, Co, Cg) or gray
 * @param channels 1 or 3
 * @param maxval largest value of a sample
 * @returns as many samples: (R, G, B) or gray
 */
export function inverseColour(
  coordinates: Int32Array | Float32Array,
  channels: 1 | 3,
  maxval: number,
): Uint8Array | Uint16Array {
  const out = allocSamples(coordinates.length, maxval);
  if (channels === 1) {
    out.set(coordinates);
    return out;
  }
  for (let i = 0; i < out.length; i += 3) {
    const co = coordinates[i + 1];
    const cg = coordinates[i + 2];
    const t = coordinates[i] - (cg >> 1);
    const blue = t - (co >> 1);
    out[i] = blue + co;
    out[i + 1] = cg + t;
    out[i + 2] = blue;
  }
  return out;
}
