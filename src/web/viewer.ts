/** The original and the compressed image side by side: replay, zoom, and the map of bits. */
import { readImage, type ScaledImage } from '../browser/index.js';
import { ask } from './measures.js';
import { byId, megabytes, percent, say } from './page.js';
import type { Done } from './table.js';

const viewer = byId('viewer', HTMLElement);
const original = byId('original', HTMLCanvasElement);
const replay = byId('replay', HTMLCanvasElement);
const stage = byId('stage', HTMLElement);
const play = byId('play', HTMLButtonElement);
const scale = byId('scale', HTMLInputElement);
const bits = byId('bits', HTMLButtonElement);

/** Milliseconds between two images of the replay. */
const STEP = 550;
const MAX_ZOOM = 32;

interface Frame {
  readonly picture: ImageData;
  readonly caption: string;
}

/** What is looked at; its frames come one after the other. */
let shown: { readonly done: Done; readonly stop: AbortController; frames: Frame[]; map?: ImageData } | undefined;
let playing: number | undefined;
let zoom = { factor: 1, x: 0, y: 0 };

export async function show(done: Done): Promise<void> {
  shown?.stop.abort();
  clearInterval(playing);
  const stop = new AbortController();
  const own = { done, stop, frames: [] as Frame[] };
  shown = own;
  const { info } = done.file;
  viewer.hidden = false;
  byId('viewed', HTMLElement).textContent = done.saved.name;
  byId('facts', HTMLElement).textContent =
    `${info.width} × ${info.height}, ${megabytes(info.bytes)}, ${info.bitsPerSample.toFixed(2)} bits per sample`;
  bits.setAttribute('aria-pressed', 'false');
  scale.max = '0';
  scale.value = '0';
  moveTo({ factor: 1, x: 0, y: 0 });
  try {
    const { signal } = stop;
    const image = await readImage(done.original, { signal });
    const picture = await ask({ kind: 'picture', image });
    if (shown !== own) return;
    draw(original, picture);
    for await (const finer of done.file.finer({ signal })) {
      const frame = await frameOf(finer, done);
      if (shown !== own) return;
      own.frames.push(frame);
      scale.max = String(own.frames.length - 1);
      scale.value = scale.max;
      drawFrame();
    }
  } catch (error) {
    if (!stop.signal.aborted) say(`${done.saved.name}: ${(error as Error).message}`);
  }
}

async function frameOf({ scale, image }: ScaledImage, { file: { info } }: Done): Promise<Frame> {
  const bytes = info.scales.find((known) => known.scale === scale)?.bytes ?? info.bytes;
  const whole = scale === 1 ? 'every pixel, exactly' : `${image.width} × ${image.height} pixels`;
  const caption = `${percent(bytes / info.bytes)} of the bytes: ${whole}`;
  return { picture: await ask({ kind: 'picture', image }), caption };
}

function drawFrame(): void {
  const frame = shown?.frames[Number(scale.value)];
  if (!frame) return;
  if (bits.getAttribute('aria-pressed') === 'true' && shown?.map) {
    draw(replay, shown.map);
    stage.textContent = 'Where the bits went: bright is dear';
    return;
  }
  draw(replay, frame.picture);
  stage.textContent = frame.caption;
  scale.setAttribute('aria-valuetext', frame.caption);
}

/** Both canvases have the shape of the whole image, whatever a picture's size is. */
function draw(canvas: HTMLCanvasElement, picture: ImageData): void {
  const { width, height } = shown!.done.file.info;
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.getContext('2d')!.putImageData(picture, 0, 0);
}

function moveTo({ factor, x, y }: typeof zoom): void {
  const clamped = Math.min(Math.max(factor, 1), MAX_ZOOM);
  const least = 1 - clamped;
  zoom = { factor: clamped, x: Math.min(0, Math.max(least, x)), y: Math.min(0, Math.max(least, y)) };
  for (const canvas of [original, replay]) {
    canvas.style.transform = `translate(${100 * zoom.x}%, ${100 * zoom.y}%) scale(${zoom.factor})`;
    canvas.classList.toggle('near', zoom.factor > 2);
  }
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
  drawFrame();
});
play.addEventListener('click', () => {
  clearInterval(playing);
  bits.setAttribute('aria-pressed', 'false');
  scale.value = '0';
  drawFrame();
  playing = window.setInterval(() => {
    scale.stepUp();
    drawFrame();
    if (scale.value === scale.max) clearInterval(playing);
  }, STEP);
});
bits.addEventListener('click', async () => {
  const own = shown;
  if (!own) return;
  clearInterval(playing);
  const wanted = bits.getAttribute('aria-pressed') !== 'true';
  if (wanted && !own.map) {
    stage.textContent = 'Counting bits …';
    try {
      own.map = await ask({ kind: 'map', image: await readImage(own.done.original), model: own.done.model });
    } catch (error) {
      say((error as Error).message);
    }
    if (shown !== own) return;
    if (!own.map) say('No flow codes this image: there is no map.');
  }
  bits.setAttribute('aria-pressed', String(wanted && own.map !== undefined));
  drawFrame();
});
