import { type Channels, type Image, maxvalOf } from '../../codec/image.js';
import { randomBytes, randomIntegers } from './random-bytes.js';

/** An image of random size, kind and contents: noise, few values, or a slope; with metadata at random. */
export function randomImage(seed: number): Image {
  const random = randomIntegers(seed);
  const [width, height] = [1 + random(20), 1 + random(20)];
  const indexed = random(4) === 0;
  const channels = (indexed ? 1 : 1 + random(4)) as Channels;
  const maxvals = indexed ? [1, 3, 15, 255] : [1, 3, 15, 100, 255, 255, 1023, 4095, 65535];
  const maxval = maxvals[random(maxvals.length)];
  const step = 1 + random(maxval);
  const kind = random(3);
  const samples = (maxval > 255 ? new Uint16Array(1) : new Uint8Array(1)).constructor as Uint16ArrayConstructor;
  const values = samples.from({ length: width * height * channels }, (_, i) => {
    if (kind === 0) return random(maxval + 1);
    return kind === 1 ? random(2) * step : Math.min(maxval, Math.floor((i * maxval) / (width * height * channels)));
  });
  const metadata = Array.from({ length: random(3) }, (_, i) => ({
    type: ['tEXt', 'eXIf', 'prVt'][random(3)],
    place: indexed && i === 1 ? ('after palette' as const) : ('start' as const),
    data: randomBytes(random(40), seed + i),
  }));
  return {
    width,
    height,
    channels,
    maxval,
    samples: values,
    ...(indexed && { palette: randomBytes(3 * (maxval + 1), seed) }),
    ...(metadata.length > 0 && { metadata }),
  };
}

/** Whether a PNG holds the image as it is. */
export function isPngImage(image: Image): boolean {
  return (image.channels === 1 ? [1, 3, 15, 255, 65535] : [255, 65535]).includes(maxvalOf(image));
}
