/**
 * libjxl as ImageMagick's WebAssembly has it, which is newer than Debian's cjxl: `magick.js encode EFFORT IN.png OUT.jxl` and
 * `magick.js decode IN.jxl OUT.png`. One thread.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ImageMagick, initializeImageMagick, MagickFormat } from '@imagemagick/magick-wasm';

await initializeImageMagick(readFileSync(fileURLToPath(import.meta.resolve('@imagemagick/magick-wasm/magick.wasm'))));
const [operation, ...rest] = process.argv.slice(2);
const [input, output] = rest.slice(-2);
ImageMagick.read(readFileSync(input), (image) => {
  // Samples only: cnfzip is measured without metadata, too.
  image.strip();
  if (operation === 'encode') {
    // For JPEG XL, 100 is lossless.
    image.quality = 100;
    image.settings.setDefine(MagickFormat.Jxl, 'effort', rest[0]);
  }
  image.write(operation === 'encode' ? MagickFormat.Jxl : MagickFormat.Png, (bytes) => writeFileSync(output, bytes));
});
