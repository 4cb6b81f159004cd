import { expect, test } from 'vitest';
import { type Image, maxvalOf } from '../../codec/image.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { randomImage } from '../../src/fuzz/random-image.js';
import { naturalFormat, OUTPUT_FORMATS, readImage, writeImage } from '../../src/io/formats.js';
import { holdsImage, writeProven } from '../../src/io/prove.js';
import '../../src/session/webp.js';

/** The image with one sample changed, in colour and in what shows. */
function changed(image: Image, random: (below: number) => number): Image {
  const samples = image.samples.slice();
  const at = random(samples.length);
  samples[at] = (samples[at] + 1 + random(maxvalOf(image))) % (maxvalOf(image) + 1);
  return { ...image, samples };
}

test('files of every format hold random images, and not others', async () => {
  let written = 0;
  for (let seed = 0; seed < 60; seed++) {
    const image = randomImage(seed);
    const random = randomIntegers(seed);
    for (const format of OUTPUT_FORMATS) {
      const file = await writeImage(image, format).catch(() => undefined);
      if (!file) continue;
      written++;
      expect(await holdsImage(file.bytes, image, format), `seed ${seed}, ${format}`).toBe(true);
      // Colours of a palette may be the same.
      if (image.palette) continue;
      expect(await holdsImage(file.bytes, changed(image, random), format), `seed ${seed}, ${format}`).toBe(false);
    }
  }
  expect(written).toBeGreaterThan(150);
});

test('a PNG holds metadata and palette, too', async () => {
  const image: Image = {
    width: 2,
    height: 1,
    channels: 1,
    maxval: 3,
    samples: Uint8Array.of(0, 1),
    palette: new Uint8Array(12),
  };
  const { bytes } = await writeProven(
    { ...image, metadata: [{ type: 'tEXt', place: 'start', data: bytesOf('a\0b') }] },
    'png',
  );
  expect(await holdsImage(bytes, image, 'png')).toBe(false);
  expect(await holdsImage(bytes, { ...image, palette: new Uint8Array(12).fill(1) }, 'png')).toBe(false);
  expect(await holdsImage(bytes.subarray(0, -5), image, 'png')).toBe(false);
});

test('what would read as another image is refused', async () => {
  const hostile: Image = {
    width: 1,
    height: 1,
    channels: 1,
    samples: Uint8Array.of(7),
    metadata: [{ type: 'IDAT', place: 'start', data: bytesOf('other samples') }],
  };
  const format = naturalFormat({ channels: 1, maxval: 255 });
  await expect(writeProven(hostile, format)).rejects.toMatchObject({ name: 'CnfzipError' });
});

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test('a tRNS chunk of a wrong length is told of, and means nothing', async () => {
  const samples = Uint8Array.of(7, 7, 7, 9, 9, 9);
  const withChunk = (bytes: number): Image => ({
    width: 2,
    height: 1,
    channels: 3,
    samples,
    metadata: [{ type: 'tRNS', place: 'start', data: Uint8Array.from({ length: bytes }, (_, i) => 7 * (i % 2)) }],
  });
  for (const format of ['ppm', 'tiff', 'webp'] as const) {
    for (const bytes of [0, 1, 2, 5, 7]) {
      const { warnings, complete } = await writeProven(withChunk(bytes), format);
      expect(warnings, `${format}, ${bytes} bytes`).toEqual([`metadata is not written to ${format}: tRNS`]);
      expect(complete).toBe(false);
    }
    const { bytes, complete } = await writeProven(withChunk(6), format);
    expect(complete).toBe(true);
    expect((await readImage(bytes)).image.samples).toEqual(Uint8Array.of(7, 7, 7, 0, 9, 9, 9, 255));
  }
});
