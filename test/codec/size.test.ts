import { Buffer } from 'node:buffer';
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { writeContainer } from '../../codec/container/container.js';
import { crc32 } from '../../codec/container/crc32.js';
import { isSize } from '../../codec/image.js';
import { openImage } from '../../codec/open.js';
import { toSource } from '../../codec/source.js';
import { tileCount } from '../../codec/tiles.js';
import { openBanded } from '../../src/io/banded/open.js';
import { decodeNetpbm } from '../../src/io/netpbm.js';
import { decodePng } from '../../src/io/png.js';

const [SIDE, LONG] = [2 ** 16, 2 ** 24];

/** A file whose tiles hold a byte each. */
function claiming(width: number, height: number): Uint8Array {
  const tiles = Array.from({ length: tileCount(width, height) }, () => ({
    method: 'flow' as const,
    stages: [Uint8Array.of(7)],
  }));
  const flow = { kernelVersion: 1, modelHash: '0123456789abcdef', learning: 'heads' as const };
  const layers = [{ method: 'tiles' as const, flow, tiles }];
  return writeContainer({ width, height, channels: 3, maxval: 255, indexed: false, layers }, Uint8Array.of(1));
}

function png(width: number, height: number): Uint8Array {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const data = deflateSync(new Uint8Array(99));
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', new Uint8Array())]);
}

test.each([
  [SIDE, SIDE, true],
  [SIDE + 1, SIDE, false],
  [LONG, 256, true],
  [LONG + 1, 1, false],
])('a file may have %i x %i pixels: %s', async (width, height, may) => {
  expect(isSize(width, height)).toBe(may);
  const file = claiming(width, height);
  const opened = openImage(file);
  if (!may) return expect(opened).rejects.toMatchObject({ code: 'corrupt', message: /impossible image size/ });
  const { info } = await opened;
  expect(info).toMatchObject({ width, height, bytes: file.length });
  const tooMuch = { code: 'unsupported', message: expect.stringMatching(/too many at once/) };
  await expect((await opened).decode([])).rejects.toMatchObject(tooMuch);
  const region = { x: 5, y: 6, width: 7, height: 8 };
  await expect((await opened).decode([], { region })).rejects.toMatchObject({
    code: 'unsupported',
    message: /version 1/,
  });
});

test.each([
  [SIDE, SIDE],
  [LONG, 256],
])('what claims %i x %i pixels and holds none is refused before memory is taken', async (width, height) => {
  const before = process.memoryUsage().arrayBuffers;
  const ppm = Buffer.from(`P6 ${width} ${height} 255\n0`);
  const cutShort = { code: 'bad-input', message: expect.stringMatching(/cut short|too little/) };
  for (const file of [ppm, png(width, height)]) {
    await expect(openBanded({ ...toSource(file), size: file.length }, {})).rejects.toMatchObject(cutShort);
    const limits = { maxPixels: 2 ** 32 - 1 };
    await expect(openBanded(toSource(file), limits)).rejects.toMatchObject({ code: 'unsupported' });
  }
  expect(() => decodeNetpbm(ppm)).toThrow(/too many at once/);
  expect(() => decodePng(png(width, height))).toThrow(/too many at once/);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
});
