/** What an image looks like. */
import { type Image, maxvalOf } from '../../codec/image.js';
import { expand } from '../io/expand.js';

/** Eight bits of red, green, blue and alpha of each pixel. */
export function picture(image: Image): ImageData {
  const { width, height, channels, samples, ...rest } = expand(image);
  const scale = 255 / maxvalOf({ samples, ...rest });
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = samples[i * channels + (channels < 3 ? 0 : c)] * scale;
    rgba[4 * i + 3] = channels % 2 === 0 ? samples[(i + 1) * channels - 1] * scale : 255;
  }
  return new ImageData(rgba, width, height);
}
