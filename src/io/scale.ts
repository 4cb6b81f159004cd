/** Samples of one range as samples of a wider one. */
import { allocSamples } from '../../codec/image.js';

/**
 * Scales 0 .. `from` to 0 .. `to`, rounded; where `to` is no less than `from`, no two samples become the same.
 *
 * @returns the samples themselves where nothing changes
 */
export function scaleSamples(samples: Uint8Array | Uint16Array, from: number, to: number): Uint8Array | Uint16Array {
  if (from === to) return samples;
  const out = allocSamples(samples.length, to);
  for (let i = 0; i < out.length; i++) out[i] = Math.round((samples[i] * to) / from);
  return out;
}
