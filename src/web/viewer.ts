/** The original and the compressed image side by side: replay, zoom, and the map of bits. */
import { readImage, type ScaledImage } from '../browser/index.js';
import { ask, type Picture, SHOWN_SIDE } from './measures.js';
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
/** Where pixels are larger than this they show their edges. */
const SMOOTH_ZOOM = 2;

interface Frame {
  readonly picture: Picture;
  readonly caption: string;
}

/** What is looked at; its frames come one after the other. */
interface Shown {
  readonly done: Done;
  readonly stop: AbortController;
  readonly frames: Frame[];
  original?: Picture;
  map?: Picture;
}

let shown: Shown | undefined;
let playing: number | undefined;
let zoom = { factor: 1, x: 0, y: 0 };

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
  for (const canvas of [original, replay]) {
    const side = SHOWN_SIDE / Math.max(info.width, info.height);
    canvas.width = Math.max(1, Math.round(side * info.width));
    canvas.height = Math.max(1, Math.round(side * info.height));
  }
  moveTo({ factor: 1, x: 0, y: 0 });
  try {
    const { signal } = stop;
    const image = await readImage(done.original, { signal });
    own.original = await ask({ kind: 'picture', image });
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
  return { picture: await ask({ kind: 'picture', image }), caption };
}

/** Lets the last of so many frames be shown, and the others be chosen. */
function offerFrames(count: number): void {
  scale.max = String(Math.max(0, count - 1));
  scale.value = scale.max;
  for (const control of [scale, play]) control.disabled = count < 2;
}

/** Draws what is wanted of what is there. */
function draw(): void {
  if (shown?.original) paint(original, shown.original);
  const frame = shown?.frames[Number(scale.value)];
  if (!frame) return;
  const mapped = bits.getAttribute('aria-pressed') === 'true' && shown?.map;
  paint(replay, mapped || frame.picture);
  stage.textContent = mapped ? 'Where the bits went: bright is dear' : frame.caption;
  scale.setAttribute('aria-valuetext', frame.caption);
}

/** Draws the part of a picture that is looked at: many megapixels as a whole would stall the page. */
function paint(canvas: HTMLCanvasElement, { whole, small }: Picture): void {
  const { factor, x, y } = zoom;
  const from = factor === 1 && small ? small : whole;
  const [width, height] = [from.width / factor, from.height / factor];
  const context = canvas.getContext('2d')!;
  context.imageSmoothingEnabled = factor <= SMOOTH_ZOOM;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(from, -x * width, -y * height, width, height, 0, 0, canvas.width, canvas.height);
}

function moveTo({ factor, x, y }: typeof zoom): void {
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
  if (wanted && !own.map) {
    stage.textContent = 'Counting bits …';
    try {
      const image = await readImage(own.done.original);
      own.map = await ask({ kind: 'map', image, model: own.done.model });
    } catch (error) {
      say((error as Error).message);
    }
    if (shown !== own) return;
    if (!own.map) say('No flow codes this image: there is no map.');
  }
  bits.setAttribute('aria-pressed', String(wanted && own.map !== undefined));
  draw();
});
