/** Holds the pictures of a canvas, and paints what is looked at of one. */
import type { Image } from '../../codec/image.js';
import type { Added, Command, View } from './painter.js';
import { picture } from './picture.js';

/** Where pixels are larger than this they show their edges. */
const SMOOTH_ZOOM = 2;

/** Canvases, not bitmaps: Firefox makes bitmaps of samples in the page's own thread. */
interface Picture {
  readonly whole: OffscreenCanvas;
  /** Of a picture that is larger than the canvas, one as large: many megapixels take long to paint. */
  readonly small?: OffscreenCanvas;
}

/** Of the canvas. It is asked for once: Firefox does not show what is painted by one that was asked for again. */
let context: OffscreenCanvasRenderingContext2D;
const pictures = new Map<number, Picture>();
/** What is to be painted: commands that come meanwhile are passed over but for the last. */
let wanted: (() => void) | undefined;

globalThis.onmessage = ({ data }: MessageEvent<Command>) => {
  switch (data.kind) {
    case 'canvas':
      context = data.canvas.getContext('2d')!;
      break;
    case 'clear':
      clear(data.width, data.height);
      break;
    case 'add':
      add(data.picture, data.image);
      break;
    case 'paint':
      if (!wanted) setTimeout(paintWanted);
      wanted = () => paint(data.picture, data.view);
      break;
  }
};

function clear(width: number, height: number): void {
  // Their memory is not to wait for a collection.
  for (const kept of pictures.values())
    for (const each of Object.values(kept)) Object.assign(each, { width: 0, height: 0 });
  pictures.clear();
  Object.assign(context.canvas, { width, height });
}

function add(number: number, image: Image): void {
  try {
    pictures.set(number, pictureOf(picture(image)));
    tell({ picture: number });
  } catch (error) {
    tell({ picture: number, failure: (error as Error).message });
  }
}

function pictureOf(data: ImageData): Picture {
  const whole = painted(data.width, data.height, (own) => own.putImageData(data, 0, 0));
  const { width, height } = context.canvas;
  if (data.width <= width && data.height <= height) return { whole };
  return { whole, small: painted(width, height, (own) => own.drawImage(whole, 0, 0, width, height)) };
}

function painted(
  width: number,
  height: number,
  paint: (own: OffscreenCanvasRenderingContext2D) => void,
): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, height);
  // Read again and again, it is kept where it can be.
  const own = canvas.getContext('2d', { willReadFrequently: true })!;
  own.imageSmoothingQuality = 'high';
  paint(own);
  return canvas;
}

function paintWanted(): void {
  wanted?.();
  wanted = undefined;
}

/** Paints only what is looked at. */
function paint(picture: number, { factor, x, y }: View): void {
  const shown = pictures.get(picture);
  if (!shown) return;
  const from = factor === 1 && shown.small ? shown.small : shown.whole;
  const [width, height] = [from.width / factor, from.height / factor];
  const { canvas } = context;
  context.imageSmoothingEnabled = factor <= SMOOTH_ZOOM;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(from, -x * width, -y * height, width, height, 0, 0, canvas.width, canvas.height);
}

function tell(added: Added): void {
  globalThis.postMessage(added);
}
