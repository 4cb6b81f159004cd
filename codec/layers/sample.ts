/** A part of an image that stands for all of it where a try of the whole would cost too much. */
import { allocSamples } from '../image.js';
import type { Layer } from '../layer.js';
import { extractTile } from '../tiles.js';

/** Side of the squares that are taken, and of those of which one is taken each. */
const SQUARE = 64;
const SPACING = 4 * SQUARE;
/** Layers with fewer pixels have too few squares to stand for them. */
const LEAST_PIXELS = 2 * SPACING * SPACING;

/** Some sixteenth of a layer: squares evenly spread over it, put together. A layer that is too small for that is its own sample. */
export function sampleOf<T extends Layer>(layer: T): T {
  const { width, height, channels, maxval } = layer;
  if (width * height < LEAST_PIXELS || Math.min(width, height) < SQUARE) return layer;
  const [columns, rows] = [width, height].map((length) => Math.max(1, Math.floor(length / SPACING)));
  const line = columns * SQUARE * channels;
  const samples = allocSamples(rows * SQUARE * line, maxval);
  const at = (index: number, count: number, length: number) => Math.round(((length - SQUARE) * (index + 0.5)) / count);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = { x: at(column, columns, width), y: at(row, rows, height), width: SQUARE, height: SQUARE };
      const square = extractTile(layer, place).samples;
      for (let y = 0; y < SQUARE; y++) {
        const part = square.subarray(y * SQUARE * channels, (y + 1) * SQUARE * channels);
        samples.set(part, (row * SQUARE + y) * line + column * SQUARE * channels);
      }
    }
  }
  return { ...layer, width: columns * SQUARE, height: rows * SQUARE, samples };
}
