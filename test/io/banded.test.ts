/** Image files by bands of rows: the same as whole, in any bands, damaged and cut. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { type Channels, type Image, maxvalOf, sameImage } from '../../codec/image.js';
import { type Source, toSource } from '../../codec/source.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { CnfzipError, decodePng, encode, encodePng, open, readImage } from '../../src/index.js';
import type { Band, BandedFile } from '../../src/io/banded/image.js';
import { netpbmPieces, openNetpbm } from '../../src/io/banded/netpbm.js';
import { openPng, pngPieces } from '../../src/io/banded/png.js';
import { provenPieces } from '../../src/io/banded/prove.js';
import { nameOfFormat } from '../../src/io/formats.js';
import { decodeNetpbm, encodeNetpbm } from '../../src/io/netpbm.js';
import { readPng } from '../../src/io/png.js';
import { MAIN } from '../paths.js';

const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));

function randomImage(seed: number): Image {
  const random = randomIntegers(seed);
  const channels = (1 + random(4)) as Channels;
  const maxval = [1, 3, 15, 100, 255, 1000, 65535][random(7)];
  const [width, height] = [1 + random(60), 1 + random(60)];
  const noise = randomBytes(2 * width * height * channels, seed);
  const samples = maxval > 255 ? new Uint16Array(noise.length / 2) : new Uint8Array(noise.length / 2);
  for (let i = 0; i < samples.length; i++) samples[i] = (noise[2 * i] * 256 + noise[2 * i + 1]) % (maxval + 1);
  const palette = channels === 1 && maxval === 15 ? randomBytes(3 * 16, seed) : undefined;
  const piece = (type: string, place: 'start' | 'end', data: Uint8Array) => ({ type, place, data });
  const metadata = [piece('tEXt', 'start', Buffer.from('a\0b')), piece('tIME', 'end', randomBytes(7, seed))];
  const transparency = channels % 2 === 1 && !palette ? [piece('tRNS', 'start', randomBytes(2 * channels, seed))] : [];
  return { width, height, channels, maxval, samples, palette, metadata: [...transparency, ...metadata] };
}

/** Heights of bands, one to many rows each. */
function heightsOf(height: number, random: (below: number) => number): number[] {
  const heights: number[] = [];
  for (let left = height; left > 0; left -= heights[heights.length - 1]) heights.push(1 + random(left));
  return heights;
}

async function* inBands({ width, channels, samples }: Image, heights: number[]): AsyncGenerator<Band> {
  let at = 0;
  for (const rows of heights) {
    const size = rows * width * channels;
    yield samples.slice(at, at + size);
    at += size;
  }
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

async function whole(file: BandedFile, heights: number[]): Promise<{ image: Image; lost: readonly string[] }> {
  const { header } = file;
  const samples: number[] = [];
  for await (const band of file.bands(heights)) for (const sample of band) samples.push(sample);
  const { metadata, lost } = file.found();
  const Samples = header.maxval > 255 ? Uint16Array : Uint8Array;
  return { image: { ...header, metadata, samples: Samples.from(samples) }, lost };
}

test('random images of every kind are written and read in any bands as they are whole', async () => {
  for (let seed = 0; seed < 120; seed++) {
    const random = randomIntegers(seed);
    const image = randomImage(seed);
    const banded = () => ({
      ...image,
      maxval: maxvalOf(image),
      bands: inBands(image, heightsOf(image.height, random)),
    });
    const png = encodePng(image);
    expect(Buffer.compare(await joined(pngPieces(banded())), png)).toBe(0);
    const netpbm = encodeNetpbm(image);
    expect(Buffer.compare(await joined(netpbmPieces(banded())), netpbm)).toBe(0);
    for (const [bytes, openFile] of [
      [png, openPng],
      [netpbm, openNetpbm],
    ] as const) {
      const file = await openFile(toSource(bytes), {});
      const read = await whole(file!, heightsOf(image.height, random));
      const expected = await readImage(bytes);
      expect(sameImage(read.image, expected), `seed ${seed}`).toBe(true);
      expect(read.lost).toEqual([]);
    }
    for (const format of ['png', 'ppm'] as const) {
      const proven = provenPieces(banded(), format);
      const written = await joined(proven.pieces);
      await proven.prove(toSource(written));
    }
  }
});

test('PNG files of every kind are read by bands as they are whole, with what is lost', async () => {
  const suite = readdirSync(fixtures).filter((name) => name.endsWith('.png'));
  for (const name of suite) {
    const bytes = readFileSync(fixtures + name);
    for (const file of [bytes, Buffer.concat([bytes, Buffer.from('more')])]) {
      const expected = readPng(file, {});
      const banded = await openPng(toSource(file), {});
      if (!banded) continue;
      const read = await whole(banded, heightsOf(banded.header.height, randomIntegers(name.length)));
      expect(sameImage(read.image, expected.image), name).toBe(true);
      expect(read.lost).toEqual(expected.lost);
    }
  }
});

test('damaged and cut files are refused, or are what they are whole', async () => {
  const outcome = async (read: () => Promise<Image>) =>
    read().catch((error) => {
      expect(error).toBeInstanceOf(CnfzipError);
      expect(error.message).not.toContain('\n');
      return undefined;
    });
  for (let seed = 0; seed < 200; seed++) {
    const random = randomIntegers(seed);
    const image = randomImage(seed % 20);
    const bytes = Uint8Array.from(seed % 2 === 0 ? encodePng(image) : encodeNetpbm(image));
    // What no longer begins as its format does is not opened as such.
    const damaged = random(2) === 0 ? bytes.slice(0, random(bytes.length)) : bytes;
    if (damaged.length > 0) damaged[random(damaged.length)] ^= 1 << random(8);
    if (nameOfFormat(damaged) === undefined) continue;
    const openFile = seed % 2 === 0 ? openPng : openNetpbm;
    let isWholeOnly = false;
    const banded = await outcome(async () => {
      const file = await openFile(toSource(damaged), { maxPixels: 1e6 });
      if (file) return (await whole(file, [file.header.height])).image;
      isWholeOnly = true;
      throw new CnfzipError('unsupported', 'not in bands');
    });
    if (isWholeOnly) continue;
    const read = await outcome(async () => readImage(damaged, { maxPixels: 1e6 }));
    expect(banded === undefined, `seed ${seed}`).toBe(read === undefined);
    if (banded && read) expect(sameImage(banded, read)).toBe(true);
  }
});

/** Reads all rows of an image of one row; what of its file is lost. */
async function lostOf(file: BandedFile | undefined): Promise<readonly string[]> {
  for await (const _ of file!.bands([1]));
  return file!.found().lost;
}

const dot: Image = { width: 1, height: 1, channels: 1, samples: Uint8Array.of(7) };

test('what stands behind a Netpbm image is told alike however it is read', async () => {
  for (const behind of [' \n#a\n #b\r\t#c', '\n# a\n#b\nc #d\n ', '#', '\n', '  #a\n\n5']) {
    const file = Buffer.concat([encodeNetpbm(dot), Buffer.from(behind)]);
    for (const step of [1, 3, file.length]) {
      const readInto = async (at: number, room: Uint8Array) => file.copy(room, 0, at, at + step);
      expect(await lostOf(await openNetpbm({ ...toSource(file), readInto }, {}))).toEqual(decodeNetpbm(file).lost);
    }
  }
});

test('what stands behind a Netpbm image takes no memory', async () => {
  const file = encodeNetpbm(dot);
  const behind = 1 << 28;
  const held = () => process.memoryUsage().arrayBuffers;
  const before = held();
  let most = 0;
  const readInto = async (at: number, room: Uint8Array) => {
    most = Math.max(most, held() - before);
    room.set(file.subarray(at));
    return Math.min(room.length, file.length + behind - at);
  };
  const opened = await openNetpbm({ ...toSource(file), readInto }, {});
  expect(await lostOf(opened)).toEqual([`${behind} bytes behind the first image are not kept`]);
  expect(most).toBeLessThan(1 << 26);
});

test('metadata of a PNG beyond the limit of memory is refused before it is read, wherever it stands', async () => {
  for (const place of ['start', 'end'] as const) {
    const metadata = [1, 2].map(() => ({ type: 'teSt', place, data: new Uint8Array(1 << 20) }));
    const bytes = encodePng({ ...dot, metadata });
    let read = 0;
    const source: Source = {
      size: bytes.length,
      read: async (at, length) => {
        read = Math.max(read, Math.min(at + length, bytes.length));
        return bytes.subarray(at, at + length);
      },
    };
    const refused = expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(/MB of metadata/) });
    // Enough for one of the two.
    await expect(openPng(source, { maxMemory: 137e6 }).then(lostOf), place).rejects.toEqual(refused);
    expect(read).toBeLessThan(1.5 * (1 << 20));
    expect(await lostOf(await openPng(source, { maxMemory: 150e6 }))).toEqual([]);
  }
});

test('a file that does not hold the image is not proven', async () => {
  const image = { ...randomImage(4), maxval: 255, channels: 3 as const, palette: undefined };
  const samples = randomBytes(image.width * image.height * 3, 9);
  const rows = { ...image, samples, metadata: undefined };
  for (const format of ['png', 'ppm'] as const) {
    const proven = provenPieces({ ...rows, bands: inBands(rows, [image.height]) }, format);
    await joined(proven.pieces);
    const other = samples.slice();
    other[5] ^= 1;
    const wrong = (format === 'png' ? encodePng : encodeNetpbm)({ ...rows, samples: other });
    await expect(proven.prove(toSource(wrong))).rejects.toMatchObject({ code: 'corrupt' });
  }
});

test('an open file is decoded in bands, whose checksum is checked', async () => {
  const [width, height] = [30, 2100];
  const samples = new Uint8Array(width * height * 3).map((_, i) => 100 + 50 * Math.sin(i / 999) + ((i * i) & 15));
  const bytes = await encode({ width, height, channels: 3, samples }, { model: 'fast', learning: 'none', threads: 1 });
  const file = await open(bytes, { threads: 1 });
  const bands: Image[] = [];
  for await (const band of file.bands()) bands.push({ ...band, samples: band.samples.slice() });
  expect(bands.map((band) => band.height)).toEqual([704, 704, 692]);
  expect(Buffer.concat(bands.map((band) => Buffer.from(band.samples))).equals(samples)).toBe(true);
}, 120_000);

test('a large image is decompressed by bands into the same file', async () => {
  const [width, height] = [2100, 2100];
  const samples = new Uint8Array(width * height).map((_, i) => ((i % width) >> 5) * ((i / width) >> 7));
  const image: Image = { width, height, channels: 1, samples };
  writeFileSync(join(folder, 'large.cnfz'), await encode(image, { effort: 'low', verify: false }));
  for (const format of ['png', 'ppm']) {
    const out = join(folder, `out.${format === 'png' ? 'png' : 'pgm'}`);
    const args = ['decompress', '-q', '--format', format, '-o', out, join(folder, 'large.cnfz')];
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const expected = format === 'png' ? encodePng(image) : encodeNetpbm(image);
    expect(Buffer.compare(readFileSync(out), expected)).toBe(0);
  }
  expect(sameImage(decodePng(readFileSync(join(folder, 'out.png'))), image)).toBe(true);
}, 120_000);
