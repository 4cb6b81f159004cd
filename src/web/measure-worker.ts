/** Answers one question of the page. */
import { zipSync } from 'fflate';
import { encodeImage } from '../../codec/codec.js';
import { OFFSETS, pyramid, sites } from '../../codec/flow/pyramid.js';
import { TRACED, type Trace } from '../../codec/flow/tile-codec.js';
import { type Image, maxvalOf } from '../../codec/image.js';
import { encodeWebpFile, fitsWebp } from '../../codec/layers/webp.js';
import type { Tile } from '../../codec/tiles.js';
import { PASSES } from '../../models/definition.js';
import { type ColourModel, modelsForEncoding } from '../browser/models.js';
import { expand } from '../io/expand.js';
import { tracingCoder } from '../measure/tracing.js';
import type { Answer, Answers, Question } from './measures.js';

/** Pixels of a side of the map's blocks. */
const BLOCK = 4;

globalThis.onmessage = async ({ data }: MessageEvent<Question>) => {
  try {
    tell({ answer: await answer(data) });
  } catch (error) {
    tell({ failure: (error as Error).message });
  }
};

function answer(question: Question): Answers[Question['kind']] | Promise<Answers[Question['kind']]> {
  switch (question.kind) {
    case 'webp':
      return webpBytes(question.image);
    case 'map':
      return map(question.image, question.model);
    case 'file':
      return new Blob([question.bytes], { type: question.type });
    case 'archive':
      return archive(question.files);
  }
}

async function archive(files: Readonly<Record<string, Blob>>): Promise<Blob> {
  const entries: Record<string, Uint8Array> = {};
  for (const [name, file] of Object.entries(files)) entries[name] = new Uint8Array(await file.arrayBuffer());
  // What is compressed already is stored.
  return new Blob([zipSync(entries, { level: 0 }) as Uint8Array<ArrayBuffer>], { type: 'application/zip' });
}

async function webpBytes(image: Image): Promise<number | undefined> {
  const plain = expand(image);
  const layer = { ...plain, maxval: maxvalOf(plain) };
  if (layer.maxval !== 255 || !fitsWebp(layer)) return undefined;
  return (await encodeWebpFile(layer, 'good').catch(() => undefined))?.length;
}

async function map(image: Image, model: ColourModel): Promise<Image | undefined> {
  const { width, height } = image;
  const [columns, rows] = [Math.ceil(width / BLOCK), Math.ceil(height / BLOCK)];
  const bits = new Float64Array(columns * rows);
  let coded = false;
  const coderOf = tracingCoder(({ flow, place, trace }) => {
    coded = true;
    for (const { x, y, size, sum } of tracedSites(trace, place, flow.model.definition.channels)) {
      addSquare(x, y, size, sum);
    }
  });
  const addSquare = (x: number, y: number, size: number, sum: number) => {
    const side = Math.max(1, size / BLOCK);
    const [left, top] = [Math.floor(x / BLOCK), Math.floor(y / BLOCK)];
    for (let row = top; row < Math.min(rows, top + side); row++) {
      for (let column = left; column < Math.min(columns, left + side); column++) {
        bits[row * columns + column] += sum / (side * side);
      }
    }
  };
  await encodeImage(image, await modelsForEncoding(image.channels, model), { coderOf, verify: false });
  return coded ? shade(bits, columns, rows) : undefined;
}

/** The sites of a tile: each a square of pixels, of which it is the first, and the bits that it took. */
function* tracedSites(trace: Trace, tile: Tile, channels: number) {
  for (const [index, level] of pyramid(tile.height, tile.width).entries()) {
    for (const pass of PASSES) {
      const taken = trace[index][pass];
      const [dy, dx] = OFFSETS[pass];
      const { rows, columns } = sites(level, pass);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let sum = 0;
          for (let k = 0; k < channels; k++) sum += taken[((row * columns + column) * channels + k) * TRACED];
          const size = 1 << index;
          yield { x: tile.x + (2 * column + dx) * size, y: tile.y + (2 * row + dy) * size, size, sum };
        }
      }
    }
  }
}

/** The busiest hundredth of the blocks is white. */
function shade(bits: Float64Array, width: number, height: number): Image {
  const white = Float64Array.from(bits).sort()[Math.floor(0.99 * (bits.length - 1))] || 1;
  const samples = new Uint8Array(3 * bits.length);
  for (const [i, amount] of bits.entries()) {
    const part = Math.min(1, amount / white);
    samples.set([20 + 235 * part * part, 30 + 215 * part, 45 + 130 * Math.sqrt(part)], 3 * i);
  }
  return { width, height, channels: 3, samples };
}

function tell(answer: Answer): void {
  globalThis.postMessage(answer);
}
