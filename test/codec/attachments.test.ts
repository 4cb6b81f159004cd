import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import { attachedBytes, readAttachments, writeAttachments } from '../../codec/container/attachments.js';
import { varint } from '../../codec/container/bytes.js';
import { readContainer, writeContainer } from '../../codec/container/container.js';
import { deflate } from '../../codec/container/deflate.js';
import { type Image, type Metadata, sameImage } from '../../codec/image.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { decodePng, encodePng, info } from '../../src/index.js';

const gray: Image = { width: 2, height: 2, channels: 1, maxval: 255, samples: Uint8Array.of(0, 1, 2, 3) };
const rgb: Image = { width: 2, height: 2, channels: 3, maxval: 255, samples: randomBytes(12, 1) };
const indexed: Image = { ...gray, maxval: 3, palette: randomBytes(12, 2) };

const piece = (type: string, bytes = 3, place: Metadata['place'] = 'start'): Metadata => {
  return { type, place, data: randomBytes(bytes, 3) };
};

/** The file of an image with attachments that no encoder of ours writes, all its checksums right. */
async function forged(image: Image, plain: ArrayLike<number>, claimed = plain.length): Promise<Uint8Array> {
  const container = readContainer(await encodeImage({ ...image, metadata: [piece('tEXt')] }, []));
  const attachments = Uint8Array.from([...varint(claimed), ...deflate(Uint8Array.from(plain))]);
  return writeContainer({ ...container, attachments }, image.samples);
}

/** Attachments' bytes before they are deflated. */
function plainBytes({ palette, metadata = [] }: Pick<Image, 'palette' | 'metadata'>): number[] {
  const places = ['start', 'after palette', 'end'];
  return [
    ...(palette ? [...varint(palette.length / 3), ...palette] : []),
    ...metadata.flatMap(({ type, place, data }) => [
      places.indexOf(place),
      ...Buffer.from(type, 'latin1'),
      ...varint(data.length),
      ...data,
    ]),
  ];
}

test.each([
  ['a header', rgb, [piece('IHDR', 13)]],
  ['samples', rgb, [piece('IDAT')]],
  ['samples at the end', rgb, [piece('IDAT', 3, 'end')]],
  ['an end', rgb, [piece('IEND', 0)]],
  ['what must be understood and is not', rgb, [piece('ABCD')]],
  ['a second palette', indexed, [piece('PLTE')]],
  ['a palette of gray', gray, [piece('PLTE')]],
  ['half a colour', rgb, [piece('PLTE', 4)]],
  ['no colour', rgb, [piece('PLTE', 0)]],
  ['257 colours', rgb, [piece('PLTE', 771)]],
  ['two palettes', rgb, [piece('PLTE'), piece('PLTE')]],
  ['a palette behind the samples', rgb, [piece('PLTE', 3, 'end')]],
  ['what stands after a palette that is not there', rgb, [piece('tRNS', 6, 'after palette')]],
  ['what stands before the samples behind what stands behind them', rgb, [piece('tEXt', 3, 'end'), piece('tEXt')]],
  ['no letters', rgb, [piece('t\0Xt')]],
  ['a line end in a type', rgb, [piece('\nEXt')]],
] as const)('%s as metadata is refused by encoder and decoder', async (_, image, metadata) => {
  await expect(encodeImage({ ...image, metadata }, [])).rejects.toMatchObject({ code: 'bad-input' });
  const bytes = await forged(image, plainBytes({ ...image, metadata }));
  const refusal = { name: 'CnfzipError', code: 'corrupt', message: expect.stringMatching(/^damaged: [ -~]+$/) };
  expect(() => info(bytes)).toThrow(expect.objectContaining(refusal));
  await expect(decodeImage(bytes, [])).rejects.toMatchObject(refusal);
});

test('a palette longer than the samples can tell is refused by encoder and decoder', async () => {
  const long = { ...indexed, palette: randomBytes(15, 1) };
  await expect(encodeImage(long, [])).rejects.toMatchObject({ message: expect.stringContaining('longer than maxval') });
  const bytes = await forged(indexed, plainBytes(long));
  await expect(decodeImage(bytes, [])).rejects.toMatchObject({ code: 'corrupt' });
});

test('animations, a suggested palette and unknown chunks are metadata', async () => {
  const metadata = [piece('acTL', 8), piece('fcTL', 26), piece('PLTE', 9), piece('prVt', 0), piece('fdAT', 9, 'end')];
  const image = { ...rgb, metadata };
  expect(sameImage(await decodeImage(await encodeImage(image, []), []), image)).toBe(true);
});

test('what is accepted, of any types and places, is a PNG that libvips reads as the same samples', async () => {
  const random = randomIntegers(4);
  const types = [
    'IHDR',
    'IDAT',
    'IEND',
    'PLTE',
    'ABCD',
    'tRNS',
    'gAMA',
    'hIST',
    'tEXt',
    'fdAT',
    'zzzz',
    'bKGD',
    'sBIT',
  ];
  const places = ['start', 'after palette', 'end'] as const;
  let accepted = 0;
  for (let i = 0; i < 400; i++) {
    const image = [gray, rgb, indexed][random(3)];
    const metadata = Array.from({ length: 1 + random(3) }, () =>
      piece(types[random(types.length)], random(14), places[random(3)]),
    );
    const bytes = await encodeImage({ ...image, metadata }, []).catch((error) => {
      expect(error).toMatchObject({ code: 'bad-input' });
    });
    if (!bytes) continue;
    accepted++;
    const decoded = await decodeImage(bytes, []);
    const png = encodePng(decoded);
    expect(sameImage(decodePng(png), { ...image, metadata })).toBe(true);
    const plain = encodePng({ ...image, metadata: [] });
    const read = async (file: Uint8Array) => sharp(file, { failOn: 'none' }).removeAlpha().raw().toBuffer();
    expect(await read(png)).toEqual(await read(plain));
  }
  expect(accepted).toBeGreaterThan(40);
});

test('2^16 pieces of metadata and 2^28 bytes are the most', async () => {
  const many = Array.from({ length: 65536 }, () => ({ ...piece('tEXt'), data: new Uint8Array(0) }));
  const bytes = await encodeImage({ ...gray, metadata: many }, []);
  expect(info(bytes).metadata).toHaveLength(65536);
  const tooMany = [...many, many[0]];
  const refusal = { code: 'unsupported', message: '65537 pieces of metadata are too many' };
  await expect(encodeImage({ ...gray, metadata: tooMany }, [])).rejects.toMatchObject(refusal);
  const forgery = await forged(gray, plainBytes({ metadata: tooMany }));
  expect(() => info(forgery)).toThrow(/metadata of more than 65536 pieces/);
  const large = { ...piece('tEXt'), data: new Uint8Array(2 ** 28) };
  expect(() => writeAttachments({ metadata: [large] })).toThrow(/bytes of metadata are too many/);
  const huge = await forged(gray, plainBytes({ metadata: [piece('tEXt')] }), 2 ** 28 + 1);
  expect(() => info(huge)).toThrow(/its metadata is malformed/);
});

test('attachments tell their bytes before they are inflated; empty ones are none', async () => {
  const attachments = writeAttachments({ metadata: [piece('tEXt', 1000)] })!;
  expect(attachedBytes({ attachments })).toBe(1000 + 7);
  expect(attachedBytes({})).toBe(0);
  expect(readAttachments({ indexed: false, channels: 1, maxval: 255 })).toEqual({});
  await expect(decodeImage(await forged(gray, []), [])).rejects.toMatchObject({ code: 'corrupt' });
});
