import { expect, test } from 'vitest';
import {
  type CodedLayer,
  type Container,
  checkSamples,
  FORMAT_VERSION,
  layerBytes,
  METHODS,
  readContainer,
  type SealedContainer,
  TILE_METHODS,
  type TileMethod,
  writeContainer,
} from '../codec/container/container.js';
import { crc32 } from '../codec/container/crc32.js';
import { CnfzipError } from '../codec/error.js';
import type { Channels } from '../codec/image.js';
import { tileCount } from '../codec/tiles.js';
import { randomBytes, randomIntegers } from '../src/fuzz/random-bytes.js';

const SAMPLES = Uint8Array.of(1, 2, 3);
const write = (container: Container) => writeContainer(container, SAMPLES);

/** A tile's payload: its method, and random bytes. */
function tile(method: TileMethod, bytes: number, seed: number): Uint8Array {
  return randomBytes(bytes, seed).fill(TILE_METHODS.indexOf(method), 0, 1);
}

function container(width: number, height: number, payloadBytes: number, seed = 1): Container {
  const payloads = Array.from({ length: tileCount(width, height) }, (_, i) => tile('flow', payloadBytes, seed + i));
  return {
    width,
    height,
    channels: 3,
    maxval: 255,
    indexed: false,
    layers: [{ method: 'tiles', flow: { kernelVersion: 1, modelHash: '0123456789abcdef', adapts: true }, payloads }],
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

/** Where width, height, kind and largest value of a 32 x 32 image are in its header. */
const [WIDTH, HEIGHT, KIND, MAXVAL] = [5, 6, 7, 8];
const HEADER_BYTES = 20;

/** A header with its own checksum made right again, so that what is behind the checksum is tested. */
function withHeader(change: (header: number[]) => void): Uint8Array {
  const header = [...write(container(32, 32, 10)).subarray(0, HEADER_BYTES)];
  change(header);
  const bytes = new Uint8Array(header.length + 4 + 1000);
  bytes.set(header);
  new DataView(bytes.buffer).setUint32(header.length, crc32(Uint8Array.from(header)), true);
  return bytes;
}

function randomLayer(seed: number, tiles: number): CodedLayer {
  const random = randomIntegers(seed);
  const method = METHODS[random(3)];
  const flow = method === 'tiles' && random(4) > 0;
  const modelHash = Buffer.from(randomBytes(8, seed)).toString('hex');
  return {
    method,
    flow: flow ? { kernelVersion: 1 + random(255), modelHash, adapts: random(2) > 0 } : undefined,
    alphabet: random(2) ? randomBytes(random(30), seed) : undefined,
    payloads:
      method === 'tiles'
        ? Array.from({ length: tiles }, (_, i) =>
            tile(flow && (i === 0 || random(2)) ? 'flow' : 'webp', 1 + random(300), i),
          )
        : [randomBytes(random(300), seed)],
  };
}

test('random containers come back', () => {
  const random = randomIntegers(5);
  for (let i = 0; i < 100; i++) {
    const [width, height] = [1 + random(2000), 1 + random(2000)];
    const channels = (1 + random(4)) as Channels;
    const attachments = random(2) ? randomBytes(random(50), i) : undefined;
    const split = channels % 2 === 0 && random(2) === 0;
    const original: Container = {
      width,
      height,
      channels,
      maxval: 1 + random(65535),
      indexed: false,
      attachments,
      layers: Array.from({ length: split ? 2 : 1 }, (_, l) => randomLayer(10 * i + l, tileCount(width, height))),
    };
    const bytes = write(original);
    const { checksum, trailer, ...read } = readContainer(bytes);
    expect(read).toEqual(original);
    expect(crc32(SAMPLES, checksum)).toBe(trailer);
    const layers = original.layers.reduce((sum, layer) => sum + layerBytes(layer), 0);
    expect(write({ ...original, layers: [...original.layers, ...original.layers] }).length - bytes.length).toBe(layers);
  }
});

test('the bytes are those that are documented', () => {
  const flow = { kernelVersion: 2, modelHash: '0123456789abcdef', adapts: true };
  const bytes = write({
    ...container(300, 2, 0),
    attachments: Uint8Array.of(5, 6),
    layers: [{ method: 'tiles', flow, alphabet: Uint8Array.of(4), payloads: [Uint8Array.of(0, 8, 7)] }],
  });
  const parts = [
    'cf5a0d0a' + // magic
      '04' + // format version
      'ac02' + // width
      '02' + // height
      '13' + // three channels, attachments
      'ff01' + // largest value
      '32' + // tiles, with an alphabet, of a flow that goes on learning
      '02' + // kernel version
      '0123456789abcdef',
    '020506', // attachments
    '0104', // alphabet
    '03000807', // samples
  ];
  let before = '';
  let expected = '';
  for (const part of [...parts, '']) {
    before += part || '010203'; // the samples themselves
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(Buffer.from(before, 'hex')));
    expected += part + checksum.toString('hex');
  }
  expect(Buffer.from(bytes).toString('hex')).toBe(expected);
});

test('a file of one tile costs at most 37 bytes beside its payload, one of WebP 27', () => {
  expect(write(container(32, 32, 1500)).length - 1500).toBe(34);
  expect(write(container(512, 512, 400_000)).length - 400_000).toBe(37);
  const layers: CodedLayer[] = [{ method: 'webp', payloads: [new Uint8Array(200)] }];
  expect(write({ ...container(500, 300, 0), layers }).length - 200).toBe(27);
});

test('every flipped bit up to the trailer is refused', () => {
  const bytes = write(container(700, 3, 20));
  for (let bit = 0; bit < 8 * (bytes.length - 4); bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const expected = bit < 32 ? 'bad-input' : bit < 40 && flipped[4] !== 0 ? 'unsupported' : 'corrupt';
    expect(failure(flipped).code, `bit ${bit}`).toBe(expected);
  }
});

test('every truncation is refused', () => {
  const bytes = write(container(700, 3, 20));
  for (let length = 0; length < bytes.length; length++) {
    expect(failure(bytes.subarray(0, length)).code, `${length} bytes`).toBe(length === 0 ? 'bad-input' : 'corrupt');
  }
});

test('trailing rubbish is refused', () => {
  const bytes = write(container(32, 32, 20));
  expect(failure(Uint8Array.from([...bytes, 0])).message).toMatch(/1 bytes? follow/);
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

test('impossible or unknown headers are refused before memory is taken', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
  expect(failure(withHeader((h) => h.splice(WIDTH, 2, ...huge, ...huge))).message).toMatch(/impossible image size/);
  expect(failure(withHeader((h) => h.splice(WIDTH, 1, 0))).message).toMatch(/impossible image size 0 x 32/);
  // 16,384 x 16,384: within the bounds, but 1,024 tiles do not fit in the file.
  expect(failure(withHeader((h) => h.splice(WIDTH, 2, 0x80, 0x80, 1, 0x80, 0x80, 1))).message).toMatch(/cut short/);
  expect(failure(withHeader((h) => h.splice(HEIGHT, 1, 0xa0, 0))).message).toMatch(/malformed number/);
  expect(failure(withHeader((h) => h.splice(HEIGHT, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 1))).message).toMatch(/malformed/);
  expect(failure(withHeader((h) => h.splice(KIND, 1, 5)))).toMatchObject({ code: 'unsupported' });
  expect(failure(withHeader((h) => h.splice(KIND, 1, 0x43)))).toMatchObject({ code: 'unsupported' });
  expect(failure(withHeader((h) => h.splice(KIND, 1, 3 + 8))).message).toMatch(/contradict/);
  expect(failure(withHeader((h) => h.splice(KIND, 1, 1 + 8))).message).toMatch(/contradict/);
  expect(failure(withHeader((h) => h.splice(MAXVAL, 2, 0))).message).toMatch(/impossible largest value 0/);
  expect(failure(withHeader((h) => h.splice(MAXVAL, 2, 0x80, 0x80, 4))).message).toMatch(/impossible largest value/);
});

test('a chunk cannot claim more than the file holds', () => {
  const bytes = write(container(32, 32, 20));
  bytes[HEADER_BYTES + 4] = 127;
  expect(failure(bytes).message).toMatch(/cut short/);
});

test('random bytes behind a magic never give anything but a CnfzipError', () => {
  for (let seed = 0; seed < 500; seed++) {
    const bytes = randomBytes(60, seed);
    bytes.set([0xcf, 0x5a, 0x0d, 0x0a, FORMAT_VERSION]);
    failure(bytes);
  }
});

test('a model that no tile needs, a tile without its model, and a hash of none contradict the header', () => {
  const whole = container(32, 32, 20);
  const [layer] = whole.layers;
  const changed = (change: Partial<CodedLayer>) => write({ ...whole, layers: [{ ...layer, ...change }] });
  expect(failure(changed({ payloads: [tile('webp', 20, 1)] })).message).toMatch(/contradict/);
  expect(failure(changed({ flow: undefined })).message).toMatch(/contradict/);
  expect(failure(changed({ flow: { ...layer.flow!, kernelVersion: 0 } })).message).toMatch(/contradict/);
  expect(failure(changed({ payloads: [Uint8Array.of(2, 1)] })).message).toMatch(/coded in no way that is known/);
});

/** A file's parts, each with the checksum at its end. */
function partsOf(bytes: Uint8Array, { attachments, layers }: Container): Uint8Array[] {
  const chunks = [
    ...(attachments ? [attachments] : []),
    ...layers.flatMap(({ alphabet, payloads }) => [alphabet!, ...payloads]),
  ];
  const ends: number[] = [];
  let at = bytes.length - 4;
  for (const { length } of chunks.reverse()) {
    ends.unshift(at);
    at -= length + (length < 128 ? 1 : 2) + 4;
  }
  ends.unshift(at);
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

test('parts of other files, of the same lengths and with their checksums, are never accepted in any combination', () => {
  const random = randomIntegers(9);
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    // Two files, all of whose parts are as long as the other's and alike with chance one half.
    const [width, height] = [600 + random(600), 1 + random(600)];
    const pick = <T>(one: T, other: T): [T, T] => (random(2) ? [one, one] : [one, other]);
    const bytes = (length: number) =>
      pick(randomBytes(length, 9 * i + length), randomBytes(length, 9 * i + length + 1));
    const maxvals = pick(200, 255);
    const attachments = bytes(40);
    const alphabets = bytes(12);
    const tiles = Array.from({ length: tileCount(width, height) }, (_, t) =>
      pick(tile('flow', 150, t), tile('flow', 150, -t)),
    );
    const samples = bytes(30);
    const flow = { kernelVersion: 2, modelHash: '0123456789abcdef', adapts: false };
    const files = [0, 1].map((f) => {
      const payloads = tiles.map((two) => two[f]);
      const written: Container = {
        ...container(width, height, 1),
        maxval: maxvals[f],
        attachments: attachments[f],
        layers: [{ method: 'tiles', flow, alphabet: alphabets[f], payloads }],
      };
      const file = writeContainer(written, samples[f]);
      return { file, samples: samples[f], parts: partsOf(file, written) };
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
    // What is accepted is one of the two files, samples and all.
    const whole = accepted.some(({ file }) => Buffer.compare(spliced, file) === 0);
    expect(accepted.length > 0, `combination ${i}`).toBe(whole);
    if (accepted.length === 0) refused++;
  }
  expect(refused).toBeGreaterThan(300);
});
