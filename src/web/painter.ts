/** A canvas that a worker paints. Pictures stay there: a page that is given one of many megapixels stalls. */
import type { Image } from '../../codec/image.js';

/** What of a picture is seen. */
export interface View {
  /** How much larger than the canvas the whole picture is, at least 1. */
  readonly factor: number;
  /** Where the picture's left upper corner is, in sides of the canvas, at most 0. */
  readonly x: number;
  readonly y: number;
}

/** What the worker is told: first its canvas. Pictures are named by numbers. */
export type Command =
  | { readonly kind: 'canvas'; readonly canvas: OffscreenCanvas }
  | { readonly kind: 'clear'; readonly width: number; readonly height: number }
  | { readonly kind: 'add'; readonly picture: number; readonly image: Image }
  | { readonly kind: 'paint'; readonly picture: number; readonly view: View };

/** That a picture can be painted now, or why it cannot. */
export interface Added {
  readonly picture: number;
  readonly failure?: string;
}

export class Painter {
  readonly #worker = new Worker(new URL('./painter-worker.js', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<number, (failure?: string) => void>();
  #pictures = 0;

  constructor(element: HTMLCanvasElement) {
    const canvas = element.transferControlToOffscreen();
    this.#command({ kind: 'canvas', canvas }, [canvas]);
    this.#worker.onmessage = ({ data: { picture, failure } }: MessageEvent<Added>) => {
      this.#waiting.get(picture)?.(failure);
    };
    this.#worker.onerror = ({ message }) => {
      for (const added of this.#waiting.values()) added(message || 'the worker that paints cannot be loaded');
    };
  }

  /** Forgets all pictures, and makes the canvas empty and so large. */
  clear(width: number, height: number): void {
    this.#command({ kind: 'clear', width, height });
  }

  /** Gives an image's samples away, and gets the number of the picture. */
  async add(image: Image): Promise<number> {
    const picture = this.#pictures++;
    const added = new Promise<string | undefined>((resolve) => this.#waiting.set(picture, resolve));
    this.#command({ kind: 'add', picture, image }, [image.samples.buffer as ArrayBuffer]);
    const failure = await added;
    this.#waiting.delete(picture);
    if (failure !== undefined) throw new Error(failure);
    return picture;
  }

  paint(picture: number, view: View): void {
    this.#command({ kind: 'paint', picture, view });
  }

  #command(command: Command, transfer: Transferable[] = []): void {
    this.#worker.postMessage(command, transfer);
  }
}
