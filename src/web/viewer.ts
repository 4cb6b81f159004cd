/** The original and the compressed image side by side: replay, zoom, and the map of bits. */
import { readImage, type ScaledImage } from '../browser/index.js';
import { ask } from './measures.js';
import { byId, megabytes, percent, say } from './page.js';
import { Painter, type View } from './painter.js';
import type { Done } from './table.js';

const viewer = byId('viewer', HTMLElement);
const original = new Painter(byId('original', HTMLCanvasElement));
const replay = new Painter(byId('replay', HTMLCanvasElement));
const stage = byId('stage', HTMLElement);
const play = byId('play', HTMLButtonElement);
const scale = byId('scale', HTMLInputElement);
const bits = byId('bits', HTMLButtonElement);

/** Milliseconds between two images of the replay. */
const STEP = 550;
const MAX_ZOOM = 32;
/** Pixels of the longer side of what shows an image, however many it has. */
const SHOWN_SIDE = 1200;

interface Frame {
  readonly picture: number;
  readonly caption: string;
}

/** What is looked at; pictures by their numbers, frames one after the other. */
interface Shown {
  readonly done: Done;
  readonly stop: AbortController;
  readonly frames: Frame[];
  original?: number;
  map?: number;
}

let shown: Shown | undefined;
let playing: number | undefined;
let zoom: View = { factor: 1, x: 0, y: 0 };

export async function show(done: Done): Promise<void> {
  shown?.stop.abort();
  clearInterval(playing);
  const stop = new AbortController();
  const own: Shown = { done, stop, frames: [] };
  shown = own;
  const { info } = done.file;
  viewer.hidden = false;
  byId('viewed', HTMLElement).textContent = done.saved.name;
  byId('facts', HTMLElement).textContent =
    `${info.width} × ${info.height}, ${megabytes(info.bytes)}, ${info.bitsPerSample.toFixed(2)} bits per sample`;
  bits.setAttribute('aria-pressed', 'false');
  offerFrames(0);
  const side = SHOWN_SIDE / Math.max(info.width, info.height);
  const [width, height] = [info.width, info.height].map((length) => Math.max(1, Math.round(side * length)));
  for (const painter of [original, replay]) painter.clear(width, height);
  moveTo({ factor: 1, x: 0, y: 0 });
  try {
    const { signal } = stop;
    own.original = await original.add(await readImage(done.original, { signal }));
    if (shown !== own) return;
    draw();
    for await (const finer of done.file.finer({ signal })) {
      const frame = await frameOf(finer, done);
      if (shown !== own) return;
      own.frames.push(frame);
      offerFrames(own.frames.length);
      draw();
    }
  } catch (error) {
    if (!stop.signal.aborted) say(`${done.saved.name}: ${(error as Error).message}`);
  }
}

async function frameOf({ scale, image }: ScaledImage, { file: { info } }: Done): Promise<Frame> {
  const bytes = info.scales.find((known) => known.scale === scale)?.bytes ?? info.bytes;
  const whole = scale === 1 ? 'every pixel, exactly' : `${image.width} × ${image.height} pixels`;
  const caption = `${percent(bytes / info.bytes)} of the bytes: ${whole}`;
  return { picture: await replay.add(image), caption };
}

/** Lets the last of so many frames be shown, and the others be chosen. */
function offerFrames(count: number): void {
  scale.max = String(Math.max(0, count - 1));
  scale.value = scale.max;
  for (const control of [scale, play]) control.disabled = count < 2;
}

/** Draws what is wanted of what is there. */
function draw(): void {
  if (shown?.original !== undefined) original.paint(shown.original, zoom);
  const frame = shown?.frames[Number(scale.value)];
  if (!frame) return;
  const map = bits.getAttribute('aria-pressed') === 'true' ? shown?.map : undefined;
  replay.paint(map ?? frame.picture, zoom);
  stage.textContent = map !== undefined ? 'Where the bits went: bright is dear' : frame.caption;
  scale.setAttribute('aria-valuetext', frame.caption);
}

function moveTo({ factor, x, y }: View): void {
  const clamped = Math.min(Math.max(factor, 1), MAX_ZOOM);
  const least = 1 - clamped;
  zoom = { factor: clamped, x: Math.min(0, Math.max(least, x)), y: Math.min(0, Math.max(least, y)) };
  draw();
}

/** @param x of the point that stays where it is, as a part of the frame; `y` too */
function zoomBy(by: number, x = 0.5, y = 0.5): void {
  const factor = Math.min(Math.max(zoom.factor * by, 1), MAX_ZOOM);
  const ratio = factor / zoom.factor;
  moveTo({ factor, x: x - (x - zoom.x) * ratio, y: y - (y - zoom.y) * ratio });
}

function pan(x: number, y: number): void {
  moveTo({ ...zoom, x: zoom.x + x, y: zoom.y + y });
}

const KEYS: Record<string, () => void> = {
  '+': () => zoomBy(1.5),
  '=': () => zoomBy(1.5),
  '-': () => zoomBy(1 / 1.5),
  '0': () => moveTo({ factor: 1, x: 0, y: 0 }),
  ArrowLeft: () => pan(0.1, 0),
  ArrowRight: () => pan(-0.1, 0),
  ArrowUp: () => pan(0, 0.1),
  ArrowDown: () => pan(0, -0.1),
};

for (const frame of viewer.querySelectorAll<HTMLElement>('.frame')) {
  frame.tabIndex = 0;
  frame.role = 'group';
  frame.ariaLabel = 'Plus and minus zoom, arrows move, 0 shows all';
  frame.addEventListener('keydown', (event) => {
    const action = KEYS[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  });
  frame.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const box = frame.getBoundingClientRect();
      zoomBy(event.deltaY < 0 ? 1.25 : 0.8, (event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height);
    },
    { passive: false },
  );
  frame.addEventListener('dblclick', () => zoomBy(2));
  frame.addEventListener('pointerdown', (event) => frame.setPointerCapture(event.pointerId));
  frame.addEventListener('pointermove', (event) => {
    if (!frame.hasPointerCapture(event.pointerId)) return;
    pan(event.movementX / frame.clientWidth, event.movementY / frame.clientHeight);
  });
}

scale.addEventListener('input', () => {
  bits.setAttribute('aria-pressed', 'false');
  draw();
});
play.addEventListener('click', () => {
  clearInterval(playing);
  bits.setAttribute('aria-pressed', 'false');
  scale.value = '0';
  draw();
  playing = window.setInterval(() => {
    scale.stepUp();
    draw();
    if (scale.value === scale.max) clearInterval(playing);
  }, STEP);
});
bits.addEventListener('click', async () => {
  const own = shown;
  if (!own) return;
  clearInterval(playing);
  const wanted = bits.getAttribute('aria-pressed') !== 'true';
  if (wanted && own.map === undefined) {
    stage.textContent = 'Counting bits …';
    try {
      const image = await readImage(own.done.original);
      const map = await ask({ kind: 'map', image, model: own.done.model });
      if (map && shown === own) own.map = await replay.add(map);
    } catch (error) {
      say((error as Error).message);
    }
    if (shown !== own) return;
    if (own.map === undefined) say('No flow codes this image: there is no map.');
  }
  bits.setAttribute('aria-pressed', String(wanted && own.map !== undefined));
  draw();
});
