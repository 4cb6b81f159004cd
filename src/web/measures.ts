/** What the page asks of its worker beside coding: sizes and maps of images, and files made of bytes. */
import type { Image } from '../../codec/image.js';
import type { ColourModel } from '../browser/models.js';

export type Question =
  | { readonly kind: 'webp'; readonly image: Image }
  | { readonly kind: 'map'; readonly image: Image; readonly model: ColourModel }
  | { readonly kind: 'file'; readonly bytes: Uint8Array<ArrayBuffer>; readonly type: string }
  | { readonly kind: 'archive'; readonly files: Readonly<Record<string, Blob>> };

export interface Answers {
  /** Bytes of a lossless WebP; nothing where WebP cannot hold the samples, or libwebp is not to be had. */
  webp: number | undefined;
  /** An image of bits by blocks of 4 x 4 pixels, the more the brighter; nothing where no flow codes the image. */
  map: Image | undefined;
  /** The bytes as a file: a page that made it would not answer while a large one is copied. */
  file: Blob;
  /** A zip archive of the files, stored. */
  archive: Blob;
}

export type Answer = { readonly answer: Answers[Question['kind']] } | { readonly failure: string };

/** Asks in a worker of its own, which ends with the answer; an image's samples, or bytes, are given away. */
export function ask<T extends Question>(question: T): Promise<Answers[T['kind']]> {
  const worker = new Worker(new URL('./measure-worker.js', import.meta.url), { type: 'module' });
  return new Promise<Answers[T['kind']]>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ('failure' in data) reject(new Error(data.failure));
      else resolve(data.answer as Answers[T['kind']]);
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(question, given(question));
  }).finally(() => worker.terminate());
}

function given(question: Question): ArrayBuffer[] {
  if ('image' in question) return [question.image.samples.buffer as ArrayBuffer];
  return 'bytes' in question ? [question.bytes.buffer] : [];
}
