import type { Image } from '../codec/image.js';

/** An image several times beside itself: as many tiles, if it is as wide as the half of one at least. */
export function beside(image: Image, times: number): Image {
  const { height, samples } = image;
  const row = samples.length / height;
  const wide = Array.from({ length: height }, (_, y) =>
    Array<Image['samples']>(times).fill(samples.subarray(y * row, (y + 1) * row)),
  );
  return { ...image, width: times * image.width, samples: new Uint8Array(Buffer.concat(wide.flat() as Uint8Array[])) };
}
