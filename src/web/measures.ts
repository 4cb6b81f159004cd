/** What the page asks of its worker beside coding: sizes, maps and pictures of images. */
import type { Image } from '../../codec/image.js';
import type { ColourModel } from '../browser/models.js';

export type Question =
  | { readonly kind: 'webp'; readonly image: Image }
  | { readonly kind: 'picture'; readonly image: Image }
  | { readonly kind: 'map'; readonly image: Image; readonly model: ColourModel };

/** Pixels of the longer side of what is shown of an image at once, however many it has. */
export const SHOWN_SIDE = 1200;

/** An image to be drawn. */
export interface Picture {
  readonly whole: ImageBitmap;
  /** Of an image that is larger than what is shown of it at once, that. */
  readonly small?: ImageBitmap;
}

export interface Answers {
  /** Bytes of a lossless WebP; nothing where WebP cannot hold the samples, or libwebp is not to be had. */
  webp: number | undefined;
  picture: Picture;
  /** A picture of bits by blocks of 4 x 4 pixels, the more the brighter; nothing where no flow codes the image. */
  map: Picture | undefined;
}

export type Answer = { readonly answer: Answers[Question['kind']] } | { readonly failure: string };

/** Asks in a worker of its own, which ends with the answer; the image's samples are given away. */
export function ask<T extends Question>(question: T): Promise<Answers[T['kind']]> {
  const worker = new Worker(new URL('./measure-worker.js', import.meta.url), { type: 'module' });
  return new Promise<Answers[T['kind']]>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ('failure' in data) reject(new Error(data.failure));
      else resolve(data.answer as Answers[T['kind']]);
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(question, [question.image.samples.buffer as ArrayBuffer]);
  }).finally(() => worker.terminate());
}
