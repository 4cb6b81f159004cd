/** The page of the editor: shows a small image at once, then the whole one band by band, decoded by several workers. */
import { CnfzipError } from '../../codec/error.js';
import type { FileInfo } from '../../codec/info.js';
import { openImage } from '../../codec/open.js';
import type { ViewOptions } from '../../codec/view.js';
import { SHIPPED } from '../../models/build/catalogue.js';
import type { Answer, Start } from './decoder.js';
import type { Given } from './extension.js';

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

const media = document.body.dataset.media!;
const facts = document.querySelector<HTMLElement>('#facts')!;
const canvas = document.querySelector<HTMLCanvasElement>('#image')!;

window.addEventListener('message', async ({ data }: MessageEvent<Given>) => {
  try {
    if ('failure' in data) throw new Error(data.failure);
    await show(new Uint8Array(data.bytes));
    document.body.dataset.state = 'shown';
  } catch (error) {
    facts.textContent = (error as Error).message;
    document.body.dataset.state = 'failed';
  }
});
acquireVsCodeApi().postMessage('ready');

async function show(bytes: Uint8Array): Promise<void> {
  const file = await openImage(bytes);
  const { width, height, bitsPerSample, scales } = file.info;
  facts.textContent = `${width} × ${height}, ${bytes.length.toLocaleString()} bytes, ${bitsPerSample.toFixed(2)} bits per sample`;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d')!;
  const bands = file.bands();
  const start: Start = { bytes, models: await modelsOf(file.info), webp: await fetched('webp_dec.wasm') };
  const count = Math.min(bands.length, navigator.hardwareConcurrency || 1);
  const code = URL.createObjectURL(new Blob([await fetched('decoder.js')], { type: 'text/javascript' }));
  const workers = Array.from({ length: count }, () => new Worker(code, { type: 'module' }));
  try {
    for (const worker of workers) worker.postMessage(start);
    const [{ scale }] = [...scales].sort((a, b) => a.scale - b.scale);
    const small = await createImageBitmap(await ask(workers[0], { scale }));
    context.drawImage(small, 0, 0, width, height);
    const draw = async (worker: Worker) => {
      for (let region = bands.shift(); region; region = bands.shift()) {
        context.putImageData(await ask(worker, { region }), region.x, region.y);
      }
    };
    await Promise.all(workers.map(draw));
  } finally {
    for (const worker of workers) worker.terminate();
    URL.revokeObjectURL(code);
  }
}

function ask(worker: Worker, view: ViewOptions): Promise<ImageData> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) =>
      'picture' in data ? resolve(data.picture) : reject(new Error(data.failure));
    worker.onerror = ({ message }) => reject(new Error(`a worker failed: ${message || 'its code cannot be loaded'}`));
    worker.postMessage(view);
  });
}

/** The files of the models that an image needs. Workers of such a page cannot fetch them. */
async function modelsOf({ layers }: FileInfo): Promise<Uint8Array[]> {
  const hashes = new Set(layers.flatMap(({ modelHash }) => modelHash ?? []));
  return Promise.all(
    [...hashes].map((hash) => {
      const [name] = Object.entries(SHIPPED).find(([, model]) => model.hash === hash) ?? [];
      if (name) return fetched(`${name}.cnfm`);
      throw new CnfzipError('unknown-model', `needs the model ${hash}, which this extension does not have`);
    }),
  );
}

async function fetched(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(media + name);
  if (!response.ok) throw new Error(`cannot read ${name} of the extension`);
  return new Uint8Array(await response.arrayBuffer());
}
