import { expect, test } from 'vitest';
import {
  type CodedLayer,
  type Container,
  checkSamples,
  readContainer,
  type SealedContainer,
  writeContainer,
} from '../../codec/container/container.js';
import { partsOf, type TileMethod } from '../../codec/container/contents.js';
import { crc32 } from '../../codec/container/crc32.js';
import { FORMAT_VERSION, layerBytes, MAX_SPLITS, readHead, SMALL_BYTES } from '../../codec/container/head.js';
import { CnfzipError } from '../../codec/error.js';
import { LEARNING } from '../../codec/flow/learning.js';
import type { Channels } from '../../codec/image.js';
import { tileCount } from '../../codec/tiles.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';

const SAMPLES = Uint8Array.of(1, 2, 3);
const write = (container: Container) => writeContainer(container, SAMPLES);

const FLOW = { kernelVersion: 1, modelHash: '0123456789abcdef', learning: 'heads' as const };

/** An image of tiles by a flow, each with stages of so many random bytes. */
function container(width: number, height: number, ...stageBytes: number[]): Container {
  const tiles = Array.from({ length: tileCount(width, height) }, (_, t) => ({
    method: 'flow' as const,
    stages: stageBytes.map((bytes, s) => randomBytes(bytes, 16 * t + s)),
  }));
  return {
    width,
    height,
    channels: 3,
    maxval: 255,
    indexed: false,
    layers: [{ method: 'tiles', flow: FLOW, tiles }],
  };
}

/** The error that reading these bytes gives. */
function failure(bytes: Uint8Array): CnfzipError {
  try {
    readContainer(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CnfzipError);
    return error as CnfzipError;
  }
  throw new Error('it was read without an error');
}

/** Where width, height, kind and the layer's first byte of a 32 x 32 image are in its head. */
const [WIDTH, HEIGHT, KIND, LAYER] = [5, 6, 7, 8];

/** A file whose head was changed and whose checksum is right for that. */
function withHead(change: (bytes: number[]) => void): Uint8Array {
  const bytes = [...write(container(32, 32, 10)).subarray(0, -4)];
  change(bytes);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(Uint8Array.from(bytes)));
  return Uint8Array.from([...bytes, ...checksum]);
}

function randomLayer(seed: number, tiles: number): CodedLayer {
  const random = randomIntegers(seed);
  const method = (['plain', 'webp', 'tiles'] as const)[random(3)];
  const alphabet = random(2) ? randomBytes(random(30), seed) : undefined;
  const most = random(2) ? 300 : 40_000;
  const stage = (i: number) => randomBytes(random(most), seed + i);
  if (method !== 'tiles') return { method, alphabet, tiles: [{ method, stages: [stage(0)] }] };
  const byFlow = random(4) > 0;
  const splits = byFlow ? random(MAX_SPLITS + 1) : 0;
  const modelHash = Buffer.from(randomBytes(8, seed)).toString('hex');
  return {
    method,
    flow: byFlow
      ? { kernelVersion: 1 + random(255), modelHash, learning: LEARNING[random(LEARNING.length)] }
      : undefined,
    alphabet,
    tiles: Array.from({ length: tiles }, (_, i) => {
      const own: TileMethod = byFlow && (i === 0 || random(2)) ? 'flow' : 'webp';
      return { method: own, stages: Array.from({ length: own === 'flow' ? 1 + splits : 1 }, (_, s) => stage(i + s)) };
    }),
  };
}

/** A container as text, which is compared a hundred times as fast. */
function text(container: Container): string {
  return JSON.stringify(container, (_, value) => (value instanceof Uint8Array ? `${value}` : value));
}

test('random containers come back, and the head tells where their parts lie', () => {
  const random = randomIntegers(5);
  let small = 0;
  for (let i = 0; i < 30; i++) {
    const [width, height] = [1 + random(2000), 1 + random(2000)];
    const channels = (1 + random(4)) as Channels;
    const attachments = random(2) ? randomBytes(random(50), i) : undefined;
    const split = channels % 2 === 0 && random(2) === 0;
    const original: Container = {
      width,
      height,
      channels,
      maxval: random(3) ? 1 + random(65535) : 255,
      indexed: false,
      attachments,
      layers: Array.from({ length: split ? 2 : 1 }, (_, l) => randomLayer(10 * i + l, tileCount(width, height))),
    };
    const bytes = write(original);
    const { samplesChecksum, ...read } = readContainer(bytes);
    expect(text(read) === text(original)).toBe(true);
    if (samplesChecksum === undefined) small++;
    else expect(samplesChecksum).toBe(crc32(SAMPLES));
    const head = readHead(bytes.subarray(0, samplesChecksum === undefined ? bytes.length : 5000));
    expect(head.bytes).toBe(bytes.length);
    const places = [...partsOf(head)];
    for (const [p, part] of [...partsOf(original)].entries()) {
      const { offset, length } = places[p];
      expect(Buffer.from(bytes.subarray(offset, offset + length)).equals(part)).toBe(true);
      if (p > 0) expect(offset).toBe(places[p - 1].offset + places[p - 1].length);
    }
    if (split) continue;
    const [layer] = original.layers;
    const none: CodedLayer = { method: 'plain', tiles: [{ method: 'plain', stages: [new Uint8Array()] }] };
    const [alone, empty] = [[layer], [none]].map((layers) => write({ ...original, attachments: undefined, layers }));
    // Less the empty layer's first byte and length; of what is not small there is the checksum of the samples, too.
    const more = alone.length - empty.length + 2 - layerBytes(layer);
    expect(more).toBe(readHead(alone).samplesChecksum === undefined ? 0 : 4);
  }
  expect(small).toBeGreaterThan(5);
  expect(small).toBeLessThan(25);
});

function crcHex(hex: string): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(Buffer.from(hex, 'hex')));
  return checksum.toString('hex');
}

test('the bytes of a small file are those that are documented', () => {
  const bytes = write({
    ...container(300, 2),
    maxval: 1023,
    attachments: Uint8Array.of(5, 6),
    layers: [
      {
        method: 'tiles',
        flow: { ...FLOW, kernelVersion: 2 },
        alphabet: Uint8Array.of(4),
        tiles: [{ method: 'flow', stages: [Uint8Array.of(8, 7), Uint8Array.of(9)] }],
      },
    ],
  });
  const expected =
    'cf5a0d0a' + // magic
    '07' + // format version
    'ac02' + // width
    '02' + // height
    '0a' + // three channels, attachments
    'ff07' + // largest value
    '2e' + // tiles, with an alphabet, of a flow whose heads go on learning, cut once
    '02' + // kernel version
    '0123456789abcdef' +
    '02010201' + // lengths: attachments, alphabet, the tile's stages
    '0506' +
    '04' +
    '0807' +
    '09';
  expect(Buffer.from(bytes).toString('hex')).toBe(expected + crcHex(expected));
});

test('the bytes of a larger file are those that are documented: stages by scale, checksums of all parts', () => {
  const large = randomBytes(SMALL_BYTES, 3);
  const flowTile = (seed: number, last: Uint8Array) => ({
    method: 'flow' as const,
    stages: [randomBytes(3, seed), last],
  });
  const webp = { method: 'webp' as const, stages: [randomBytes(2, 9)] };
  const [one, three] = [flowTile(1, large), flowTile(3, Uint8Array.of(1))];
  const alpha = { method: 'plain' as const, stages: [randomBytes(5, 8)] };
  const bytes = write({
    ...container(3000, 2),
    channels: 4,
    layers: [
      { method: 'tiles', flow: FLOW, tiles: [one, webp, three] },
      { method: 'plain', tiles: [alpha] },
    ],
  });
  const hex = (part: Uint8Array) => Buffer.from(part).toString('hex');
  const parts = [one.stages[0], webp.stages[0], three.stages[0], alpha.stages[0], large, three.stages[1]];
  const head =
    'cf5a0d0a07' +
    'b817' + // width
    '02' + // height
    '33' + // four channels, alpha of its own, largest value 255
    '2b' + // tiles of which some are WebP, of a flow whose heads go on learning, cut once
    '02' + // the second
    '01' + // kernel version
    '0123456789abcdef' +
    '00' + // alpha: plain
    '03020305' + // lengths
    '808002' +
    '01' +
    crcHex('010203') + // the samples
    parts.map((part) => crcHex(hex(part))).join('');
  expect(hex(bytes)).toBe(head + crcHex(head) + parts.map(hex).join(''));
});

test('what a file costs beside its payload', () => {
  expect(write(container(32, 32, 1500)).length - 1500).toBe(24);
  expect(write(container(512, 512, 30_000)).length - 30_000).toBe(27);
  expect(write(container(512, 512, 400_000)).length - 400_000).toBe(35);
  expect(write(container(512, 512, 10_000, 30_000, 90_000, 270_000)).length - 400_000).toBe(55);
  const layers: CodedLayer[] = [{ method: 'webp', tiles: [{ method: 'webp', stages: [new Uint8Array(200)] }] }];
  expect(write({ ...container(500, 300), layers }).length - 200).toBe(17);
  expect(write({ ...container(1, 1), layers }).length - 200).toBe(15);
});

const [SMALL, LARGE] = [write(container(700, 3, 20)), write(container(700, 3, 20, SMALL_BYTES))];

test.each([
  ['a small file', SMALL, SMALL.length],
  ['a larger one', LARGE, LARGE.length - SMALL_BYTES + 1],
])('every flipped bit of %s is refused', (_, bytes, until) => {
  for (let bit = 0; bit < 8 * until; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const expected = bit < 32 ? 'bad-input' : bit < 40 && flipped[4] > FORMAT_VERSION ? 'unsupported' : 'corrupt';
    const { code } = failure(flipped);
    if (bit < 32 || bit >= 40) expect(code, `bit ${bit}`).toBe(expected);
    else expect(['corrupt', 'unsupported'], `bit ${bit}`).toContain(code);
  }
});

test('every truncation is refused', () => {
  for (const bytes of [SMALL, LARGE.subarray(0, 150)]) {
    for (let length = 0; length < bytes.length; length++) {
      const { code, message } = failure(bytes.subarray(0, length));
      expect(code, `${length} bytes`).toBe(length === 0 ? 'bad-input' : 'corrupt');
      if (length > 0) expect(message).toMatch(/^cut short/);
    }
  }
});

test('trailing rubbish is refused', () => {
  for (const bytes of [SMALL, LARGE]) {
    expect(failure(Uint8Array.from([...bytes, 0])).message).toMatch(/1 bytes? follow/);
  }
});

test('what is no cnfz file, damaged by a text mode, or written by a newer version has its own message', () => {
  const bytes = write(container(32, 32, 20));
  expect(failure(new TextEncoder().encode('<!doctype html>'))).toMatchObject({
    code: 'bad-input',
    message: 'not a cnfz file',
  });
  const text = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
  expect(failure(text).code).toBe('bad-input');
  const newer = bytes.slice();
  newer[4] = FORMAT_VERSION + 1;
  expect(failure(newer)).toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining(`format version ${FORMAT_VERSION + 1}`),
  });
});

test.each([1, 2])('version %i, which was never released, is refused', (version) => {
  const bytes = write(container(32, 32, 20));
  bytes[4] = version;
  expect(failure(bytes)).toMatchObject({ code: 'unsupported', message: expect.stringContaining(`version ${version}`) });
});

test('impossible heads are refused before memory is taken', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
  expect(failure(withHead((h) => h.splice(WIDTH, 2, ...huge, ...huge))).message).toMatch(/impossible image size/);
  expect(failure(withHead((h) => h.splice(WIDTH, 1, 0))).message).toMatch(/impossible image size 0 x 32/);
  // 16,384 x 16,384: within the bounds, but the lengths of 256 tiles do not fit in the file.
  expect(failure(withHead((h) => h.splice(WIDTH, 2, 0x80, 0x80, 1, 0x80, 0x80, 1))).message).toMatch(/cut short/);
  expect(failure(withHead((h) => h.splice(HEIGHT, 1, 0xa0, 0))).message).toMatch(/malformed number/);
  expect(failure(withHead((h) => h.splice(HEIGHT, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 1))).message).toMatch(/malformed/);
  for (const kind of [0x62, 0xa2, 0x22 + 4, 0x20 + 4, 0x22 + 16]) {
    expect(failure(withHead((h) => h.splice(KIND, 1, kind))).message).toMatch(/contradict/);
  }
  expect(failure(withHead((h) => h.splice(KIND, 1, 2, 0))).message).toMatch(/impossible largest value 0/);
  expect(failure(withHead((h) => h.splice(KIND, 1, 2, 0xff, 1))).message).toMatch(/impossible largest value 255/);
  expect(failure(withHead((h) => h.splice(KIND, 1, 2, 0x80, 0x80, 4))).message).toMatch(/impossible largest value/);
  // Plain, and learning or cut; of WebP none or a tile that there is not; a flow of no version.
  for (const layer of [[8], [0x10], [11, 0], [11, 2], [11, 1], [0x13, 1]]) {
    expect(failure(withHead((h) => h.splice(LAYER, 1, ...layer))).message).toMatch(/contradict/);
  }
  expect(failure(withHead((h) => h.splice(LAYER + 1, 1, 0))).message).toMatch(/contradict/);
});

test('a part cannot claim more than the file holds', () => {
  expect(failure(withHead((h) => h.splice(LAYER + 10, 1, 127))).message).toMatch(/cut short/);
});

test('random bytes behind a magic never give anything but a CnfzipError', () => {
  for (let seed = 0; seed < 500; seed++) {
    const bytes = randomBytes(60, seed);
    bytes.set([0xcf, 0x5a, 0x0d, 0x0a, FORMAT_VERSION]);
    failure(bytes);
  }
});

test('parts of other files, of the same lengths, are never accepted in any combination', () => {
  const random = randomIntegers(9);
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    // Two files, all of whose parts are as long as the other's and alike with chance one half; half of them small files.
    const [width, height] = [600 + random(600), 1 + random(600)];
    const pick = <T>(one: T, other: T): [T, T] => (random(2) ? [one, one] : [one, other]);
    const bytes = (length: number, seed = 0) =>
      pick(randomBytes(length, 9 * i + length + seed), randomBytes(length, 9 * i + length + seed + 1));
    const maxvals = pick(200, 210);
    const attachments = bytes(40);
    const alphabets = bytes(12);
    const last = i % 2 === 0 ? 150 : SMALL_BYTES;
    const stages = Array.from({ length: tileCount(width, height) }, (_, t) => [bytes(150, 2 * t), bytes(last, 2 * t)]);
    const samples = bytes(30);
    const files = [0, 1].map((f) => {
      const tiles = stages.map((two) => ({ method: 'flow' as const, stages: two.map((pair) => pair[f]) }));
      const written: Container = {
        ...container(width, height),
        maxval: maxvals[f],
        attachments: attachments[f],
        layers: [{ method: 'tiles', flow: FLOW, alphabet: alphabets[f], tiles }],
      };
      const file = writeContainer(written, samples[f]);
      const { offset } = [...partsOf(readHead(file))][0];
      const ends = [...partsOf(readHead(file))].map((part) => part.offset + part.length);
      const cuts = [0, offset, ...ends, file.length];
      return { file, samples: samples[f], parts: cuts.slice(1).map((end, p) => file.subarray(cuts[p], end)) };
    });
    const chosen = files[0].parts.map(() => random(2));
    const spliced = Uint8Array.from(Buffer.concat(chosen.map((f, part) => files[f].parts[part])));
    let read: SealedContainer | undefined;
    try {
      read = readContainer(spliced);
    } catch (error) {
      expect(error).toMatchObject({ name: 'CnfzipError', code: 'corrupt' });
    }
    const accepted = files.filter((file) => {
      try {
        if (read) checkSamples(read, file.samples);
        return read !== undefined;
      } catch {
        return false;
      }
    });
    // What is accepted is one of the two files.
    const whole = files.some(({ file }) => Buffer.compare(spliced, file) === 0);
    expect(accepted.length > 0, `combination ${i}`).toBe(whole);
    if (accepted.length === 0) refused++;
  }
  expect(refused).toBeGreaterThan(250);
});
