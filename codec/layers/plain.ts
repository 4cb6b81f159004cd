/** PNG's row filters and deflate, of samples of any channels and depth: those of more than 8 bits as two bytes, higher first. */

import { deflate, inflate } from '../container/deflate.js';
import { CnfzipError } from '../error.js';
import type { Layer } from '../layer.js';
import { filterRows, unfilterRows } from './filters.js';

export function encodePlain(layer: Layer): Uint8Array {
  const { height } = layer;
  const { rowBytes, distance } = rowsOf(layer);
  return deflate(filterRows(toBytes(layer), height, rowBytes, distance));
}

/**
 * Undoes `encodePlain`.
 *
 * @throws {CnfzipError} `corrupt`
 */
export function decodePlain(payload: Uint8Array, shape: Omit<Layer, 'samples'>): Layer {
  const { width, height, channels, maxval } = shape;
  const { rowBytes, distance } = rowsOf(shape);
  const filtered = inflate(payload, height * (1 + rowBytes));
  let bytes: Uint8Array;
  try {
    bytes = unfilterRows(filtered, height, rowBytes, distance);
  } catch (cause) {
    throw new CnfzipError('corrupt', 'damaged: a row names no filter that there is', { cause });
  }
  if (maxval <= 255) return { ...shape, samples: bytes };
  const samples = new Uint16Array(width * height * channels);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes[2 * i] * 256 + bytes[2 * i + 1];
  return { ...shape, samples };
}

function rowsOf({ width, channels, maxval }: Omit<Layer, 'samples'>) {
  const distance = channels * (maxval > 255 ? 2 : 1);
  return { rowBytes: width * distance, distance };
}

function toBytes({ samples }: Layer): Uint8Array {
  if (samples instanceof Uint8Array) return samples;
  const bytes = new Uint8Array(2 * samples.length);
  for (const [i, sample] of samples.entries()) {
    bytes[2 * i] = sample >> 8;
    bytes[2 * i + 1] = sample;
  }
  return bytes;
}
