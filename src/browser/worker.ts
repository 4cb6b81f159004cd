/** A worker of the pool, or one that codes tiles for such a worker. */
import { encodeImage } from '../../codec/codec.js';
import type { CodingOptions } from '../../codec/coding.js';
import type { Flow } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { decodeFlowTile, encodeFlowTile } from '../../codec/layers/flow-tiles.js';
import { openImage } from '../../codec/open.js';
import { tileCount } from '../../codec/tiles.js';
import { toFailure } from '../threads/failure.js';
import type { Call, Report } from './calls.js';
import { modelsForDecoding, modelsForEncoding } from './models.js';
import { readImageFile, writeImageFile } from './read.js';
import { TileWorkers } from './tile-workers.js';

let codec: TileCodec | undefined;

globalThis.onmessage = async ({ data }: MessageEvent<Call>) => {
  try {
    const result = await run(data);
    tell({ result } as Report, given(result));
  } catch (error) {
    tell({ failure: toFailure(error) });
  }
};

async function run(call: Call) {
  switch (call.kind) {
    case 'flow':
      codec = await TileCodec.create(call.flow);
      return undefined;
    case 'encode tile':
      return encodeFlowTile(call.tile, codec!);
    case 'decode tile':
      return decodeFlowTile(call.payload, call.shape, call.level, codec!);
    case 'read':
      return readImageFile(await bytesOf(call.input)).image;
    case 'compress': {
      const image = call.input instanceof Blob ? readImageFile(await bytesOf(call.input)).image : call.input;
      const { model, ...settings } = call.settings;
      const models = await modelsForEncoding(image.channels, model);
      return withTileWorkers(image, call.threads, (coding) => encodeImage(image, models, { ...coding, ...settings }));
    }
    case 'decode':
      return decode(call.input, call.threads, call.view);
    case 'decompress':
      return writeImageFile(await decode(call.input, call.threads));
  }
}

async function decode(input: Blob, threads: number, view = {}): Promise<Image> {
  const file = await openImage(input);
  const models = await modelsForDecoding(file.info);
  return withTileWorkers(file.info, threads, (coding) => file.decode(models, { ...coding, ...view }));
}

async function withTileWorkers<T>(
  { width, height }: { width: number; height: number },
  threads: number,
  work: (coding: CodingOptions) => Promise<T>,
): Promise<T> {
  const count = Math.min(threads, tileCount(width, height));
  const onProgress = (progress: number) => tell({ progress });
  if (count === 1) return work({ onProgress });
  const started: TileWorkers[] = [];
  const coderOf = async (flow: Flow) => {
    const workers = await TileWorkers.create(flow, count);
    started.push(workers);
    return workers;
  };
  try {
    return await work({ onProgress, coderOf });
  } finally {
    for (const workers of started) workers.close();
  }
}

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

/** What of a result becomes the caller's. */
function given(result: Awaited<ReturnType<typeof run>>): Transferable[] {
  if (result === undefined) return [];
  if (result instanceof Uint8Array || result instanceof Uint16Array) return [result.buffer as ArrayBuffer];
  if ('samples' in result) return [result.samples.buffer as ArrayBuffer];
  return 'payload' in result ? [result.payload.buffer as ArrayBuffer] : [result.bytes.buffer];
}

function tell(report: Report, transfer: Transferable[] = []): void {
  (globalThis as unknown as Worker).postMessage(report, transfer);
}
