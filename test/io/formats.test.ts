import sharp from 'sharp';
import { expect, test } from 'vitest';
import { CnfzipError } from '../../codec/error.js';
import { type Channels, type Image, sameImage } from '../../codec/image.js';
import { writeImageFile } from '../../src/browser/read.js';
import { randomBytes } from '../../src/fuzz/random-bytes.js';
import { randomImage } from '../../src/fuzz/random-image.js';
import { expand } from '../../src/io/expand.js';
import { extensionOf, formatOfExtension, naturalFormat, readImage, writeImage } from '../../src/io/formats.js';
import { kindOf } from '../../src/io/netpbm-extension.js';
import '../../src/session/webp.js';

const [width, height] = [13, 7];

function noise(channels: Channels, maxval: number): Image {
  const bytes = randomBytes(2 * width * height * channels, channels);
  const samples = maxval > 255 ? new Uint16Array(bytes.buffer) : bytes.subarray(0, width * height * channels);
  return { width, height, channels, maxval, samples };
}

test.each([1, 2, 3, 4] as const)('TIFF and WebP hold %i channels exactly, also under alpha 0', async (channels) => {
  const image = noise(channels, 255);
  for (const format of ['tiff', 'webp'] as const) {
    const { image: back } = await readImage((await writeImage(image, format)).bytes);
    // Neither has gray with alpha here; WebP has no gray.
    const gray = channels < 3;
    const places = gray ? (channels === 2 ? [0, 3] : [0]) : [...Array(channels).keys()];
    const picked = [...back.samples].filter((_, i) => places.includes(i % back.channels));
    expect(picked, format).toEqual([...image.samples]);
  }
});

test.each([1, 2, 3, 4] as const)('16-bit TIFF of %i channels is exact', async (channels) => {
  const image = noise(channels, 65535);
  const { image: back } = await readImage((await writeImage(image, 'tiff')).bytes);
  expect(back.maxval).toBe(65535);
  const picked = [...back.samples].filter((_, i) => channels !== 2 || i % 4 === 0 || i % 4 === 3);
  expect(picked).toEqual([...image.samples]);
});

test('files of libtiff, libwebp and giflib give the samples that went in', async () => {
  const { samples } = noise(3, 255);
  const source = () => sharp(samples, { raw: { width, height, channels: 3 } });
  for (const file of [
    await source().tiff({ compression: 'lzw' }).toBuffer(),
    await source().webp({ lossless: true }).toBuffer(),
  ]) {
    const { image, warnings } = await readImage(file);
    expect([...image.samples]).toEqual([...samples]);
    expect(warnings).toEqual([]);
  }
  const two = samples.map((sample) => (sample & 128 ? 255 : 0));
  const gif = await sharp(two, { raw: { width, height, channels: 3 } })
    .gif()
    .toBuffer();
  const { image } = await readImage(gif);
  expect([...image.samples].filter((_, i) => image.channels === 3 || i % 4 < 3)).toEqual([...two]);
});

test('colour profile, EXIF and XMP become the chunks that PNG has for them', async () => {
  const { samples } = noise(3, 255);
  const file = await sharp(samples, { raw: { width, height, channels: 3 } })
    .withIccProfile('p3')
    .withExif({ IFD0: { Artist: 'somebody' } })
    .tiff()
    .toBuffer();
  const { image } = await readImage(file);
  expect(image.metadata?.map(({ type }) => type)).toContain('iCCP');
  const png = (await writeImage(image, 'png')).bytes;
  expect((await sharp(png).metadata()).icc?.length).toBe((await sharp(file).metadata()).icc?.length);
  expect((await writeImage(image, 'ppm')).warnings).toEqual([
    expect.stringMatching(/^metadata is not written to ppm: iCCP/),
  ]);
});

test('that a palette is not written to other formats is told', async () => {
  const image: Image = {
    width: 2,
    height: 1,
    channels: 1,
    maxval: 3,
    samples: Uint8Array.of(0, 3),
    palette: new Uint8Array(12),
  };
  expect(await writeImage(image, 'png')).toMatchObject({ complete: true, warnings: [] });
  for (const format of ['ppm', 'tiff', 'webp'] as const) {
    expect(await writeImage(image, format)).toMatchObject({
      complete: false,
      warnings: [`its palette is not written to ${format}, but the colours of its pixels`],
    });
  }
});

test('a JPEG is read, with the advice to keep it; so is a lossy WebP', async () => {
  const source = () => sharp(noise(3, 255).samples, { raw: { width, height, channels: 3 } });
  const jpeg = await readImage(await source().jpeg().toBuffer());
  expect(jpeg.image).toMatchObject({ width, height, channels: 3 });
  expect(jpeg.warnings).toEqual([expect.stringMatching(/the JPEG itself is smaller/)]);
  const webp = await readImage(await source().webp({ quality: 50 }).toBuffer());
  expect(webp.warnings).toEqual([expect.stringMatching(/the lossy WebP itself is smaller/)]);
});

test('further frames are told of', async () => {
  const first = Buffer.from(noise(3, 255).samples);
  const frames = Buffer.concat([first, first.map((sample) => 255 - sample)]);
  const gif = await sharp(frames, { raw: { width, height: 2 * height, channels: 3, pageHeight: height } })
    .gif()
    .toBuffer();
  expect((await readImage(gif)).warnings).toEqual(['only the first of 2 frames is kept']);
});

test('what is not kept as it is, or is no image, is refused', async () => {
  const source = sharp(noise(3, 255).samples, { raw: { width, height, channels: 3 } });
  const cmyk = await source.clone().toColourspace('cmyk').tiff().toBuffer();
  await expect(readImage(cmyk)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/cmyk/) });
  const tiff = await source.clone().tiff().toBuffer();
  await expect(readImage(tiff.subarray(0, tiff.length >> 1))).rejects.toMatchObject({ code: 'bad-input' });
  for (const [start, code, message] of [
    ['', 'bad-input', /it is empty/],
    ['<!doctype html>', 'bad-input', /not an image of a known format: PNG/],
    ['\xff\x0a1234', 'unsupported', /^is a JPEG XL file, which is not read/],
    ['\0\0\0\x20ftypavif', 'unsupported', /^is an AVIF file, which is not read/],
    ['\0\0\0\x20ftypheic', 'unsupported', /^is a HEIF file, which is not read/],
    ['\xcfZ\r\n', 'bad-input', /compressed already/],
    ['\x09PNG\r\n\x1a\n', 'bad-input', /its signature is not whole/],
  ] as const) {
    await expect(readImage(Buffer.from(start, 'latin1'))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  }
});

test('truncated files of every kind give nothing but a CnfzipError', async () => {
  const source = sharp(noise(3, 255).samples, { raw: { width, height, channels: 3 } });
  const files = await Promise.all(
    [source.clone().tiff(), source.clone().webp(), source.clone().gif(), source.clone().jpeg()].map((file) =>
      file.toBuffer(),
    ),
  );
  for (const file of files) {
    for (let length = 0; length < file.length; length += 17) {
      const outcome = await readImage(file.subarray(0, length)).catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(CnfzipError);
    }
  }
});

test.each([
  [1023, 'png', 65535],
  [1023, 'tiff', 65535],
  [15, 'tiff', 255],
  [15, 'webp', 255],
] as const)('samples of 0 .. %i in a %s are scaled, which is told', async (maxval, format, range) => {
  const samples = maxval > 255 ? Uint16Array.of(0, maxval) : Uint8Array.of(0, maxval);
  const written = await writeImage({ width: 2, height: 1, channels: 1, maxval, samples }, format);
  expect(written.complete).toBe(false);
  expect(written.warnings).toEqual([`samples of 0 .. ${maxval} are scaled to 0 .. ${range}`]);
  expect(Math.max(...(await readImage(written.bytes)).image.samples)).toBe(range);
});

test('browsers write Netpbm under the name that it has elsewhere: of what palette and transparency become', async () => {
  const gray = { width: 2, height: 1, channels: 1 as const, maxval: 9, samples: Uint8Array.of(0, 1) };
  const transparent = (bytes: number) => [
    { type: 'tRNS', place: 'after palette' as const, data: new Uint8Array(bytes) },
  ];
  const palette = new Uint8Array(6);
  const named: [Image, string][] = [
    [gray, '.pgm'],
    [{ ...gray, metadata: transparent(2) }, '.pam'],
    [{ ...gray, metadata: transparent(3) }, '.pgm'],
    [{ ...gray, palette }, '.ppm'],
    [{ ...gray, palette, metadata: transparent(1) }, '.pam'],
  ];
  for (const [image, extension] of named) {
    const file = writeImageFile(image);
    expect(file.extension).toBe(extension);
    expect(extensionOf(kindOf(image), 'ppm')).toBe(extension);
    expect(String.fromCharCode(file.bytes[1])).toBe({ '.pgm': '5', '.ppm': '6', '.pam': '7' }[extension]);
  }
});

test('the natural format holds the samples as they are; extensions name formats', async () => {
  for (let seed = 0; seed < 100; seed++) {
    const image = randomImage(seed);
    const { channels, maxval = 255 } = image;
    const format = naturalFormat({ channels, maxval });
    const { image: back } = await readImage((await writeImage(image, format)).bytes);
    const wanted = format === 'png' ? image : { ...expand(image), metadata: [] };
    expect(sameImage(back, wanted), `seed ${seed}`).toBe(true);
  }
  const facts = { channels: 1 as const, paletteColours: 0, metadata: [] };
  expect(extensionOf(facts, 'ppm')).toBe('.pgm');
  expect(extensionOf({ ...facts, paletteColours: 2 }, 'ppm')).toBe('.ppm');
  expect(extensionOf({ ...facts, channels: 4 }, 'ppm')).toBe('.pam');
  expect(formatOfExtension('a/b.PAM')).toBe('ppm');
  expect(formatOfExtension('a.b/c')).toBe(undefined);
  expect(() => formatOfExtension('a.jpg')).toThrow(/\.jpg files are not written; formats are: png, ppm, tiff, webp/);
});
