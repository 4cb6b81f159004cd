/** The page: takes files, has them compressed, and shows what came of it. */
import { compress, decompress, open, readImage } from '../browser/index.js';
import type { ColourModel } from '../browser/models.js';
import { droppedFiles } from './dropped.js';
import { ask } from './measures.js';
import { byId, megabytes, say } from './page.js';
import { save, saveAll } from './save.js';
import { addRow, type Done, type Row } from './table.js';
import { show } from './viewer.js';

const files = byId('files', HTMLInputElement);
const folder = byId('folder', HTMLInputElement);
const model = byId('model', HTMLSelectElement);
const drop = byId('drop', HTMLElement);

const IMAGES = /\.(a?png|p[bgpn]m|pam)$/i;
const COMPRESSED = /\.cnfz$/i;

/** Files wait for each other: each takes all threads. */
let last = Promise.resolve();

function take(given: readonly File[]): void {
  const wanted = given.filter(({ name }) => IMAGES.test(name) || COMPRESSED.test(name));
  if (wanted.length < given.length) say(`${given.length - wanted.length} files are neither PNG, Netpbm nor .cnfz.`);
  for (const file of wanted) {
    const row = addRow(file);
    last = last.then(async () => {
      try {
        const done = COMPRESSED.test(file.name) ? await unpack(file) : await pack(file, row.progress);
        row.finish(done, {
          show: () => show(done),
          save: () => save(done.saved),
        });
        say(`${file.name}: ${summary(done)}`);
        await Promise.all([show(done), compare(done, row)]);
      } catch (error) {
        row.fail((error as Error).message);
        say(`${file.name}: ${(error as Error).message}`);
      }
    });
  }
}

async function pack(file: File, onProgress: (part: number) => void): Promise<Done> {
  const chosen = model.value as ColourModel;
  const started = performance.now();
  // The result is decoded again and compared before it is given.
  const bytes = await compress(file, { model: chosen, onProgress });
  const seconds = (performance.now() - started) / 1000;
  const name = file.name.replace(/\.[^.]+$/, '.cnfz');
  const saved = { name, file: await ask({ kind: 'file', bytes, type: 'application/octet-stream' }) };
  return { original: file, file: await open(saved.file), model: chosen, seconds, saved };
}

/** Computes what WebP would make of an image that was compressed. */
async function compare(done: Done, row: Row): Promise<void> {
  if (done.seconds === undefined) return;
  const image = await readImage(done.original);
  done.webp = await ask({ kind: 'webp', image });
  row.compare(done);
}

async function unpack(file: File): Promise<Done> {
  const { bytes, type, extension } = await decompress(file);
  const saved = { name: file.name.replace(COMPRESSED, '') + extension, file: await ask({ kind: 'file', bytes, type }) };
  return { original: saved.file, file: await open(file), model: 'default', saved };
}

function summary({ original, file, seconds }: Done): string {
  const sizes = `${megabytes(original.size)} to ${megabytes(file.info.bytes)}`;
  return seconds === undefined
    ? 'opened.'
    : `${sizes} in ${seconds.toFixed(1)} s; decoded again, and exactly the same.`;
}

for (const input of [files, folder]) {
  input.addEventListener('change', () => {
    take([...(input.files ?? [])]);
    input.value = '';
  });
}
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  drop.classList.add('over');
});
document.addEventListener('dragleave', () => drop.classList.remove('over'));
document.addEventListener('drop', async (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  if (!event.dataTransfer) return;
  try {
    take(await droppedFiles(event.dataTransfer));
  } catch (error) {
    say(`What was dropped cannot be read: ${(error as Error).message}`);
  }
});
byId('all', HTMLButtonElement).addEventListener('click', saveAll);

if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register('./service-worker.js').catch(() => {
    // Without it the page works, but not offline.
  });
}
