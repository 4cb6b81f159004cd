/** Holds the pictures of a canvas, and paints what is looked at of one. */
import type { Image } from '../../codec/image.js';
import type { Added, Command, View } from './painter.js';
import { picture } from './picture.js';

/** Where pixels are larger than this they show their edges. */
const SMOOTH_ZOOM = 2;

interface Picture {
  readonly whole: ImageBitmap;
  /** Of a picture that is larger than the canvas, one as large: many megapixels take long to paint. */
  readonly small?: ImageBitmap;
}

/** Of the canvas. It is asked for once: Firefox does not show what is painted by one that was asked for again. */
let context: OffscreenCanvasRenderingContext2D;
let pictures = new Map<number, Picture>();
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
  for (const { whole, small } of pictures.values()) {
    whole.close();
    small?.close();
  }
  // What is still being made goes to where nobody looks.
  pictures = new Map();
  Object.assign(context.canvas, { width, height });
}

async function add(number: number, image: Image): Promise<void> {
  const into = pictures;
  try {
    into.set(number, await pictureOf(picture(image)));
    tell({ picture: number });
  } catch (error) {
    tell({ picture: number, failure: (error as Error).message });
  }
}

async function pictureOf(data: ImageData): Promise<Picture> {
  const { width, height } = context.canvas;
  const whole = await createImageBitmap(data);
  if (data.width <= width && data.height <= height) return { whole };
  const small = { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' } as const;
  return { whole, small: await createImageBitmap(data, small) };
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
