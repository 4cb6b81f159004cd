import { spawnSync } from 'node:child_process';
import { afterEach, expect, test, vi } from 'vitest';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import { Kernels } from '../../codec/kernels/kernels.js';
import { modelsForEncoding } from '../../src/session/models.js';
import '../../src/session/webp.js';
import { MAIN } from '../paths.js';

afterEach(() => vi.unstubAllGlobals());

const models = await modelsForEncoding(1);
const image = { width: 2, height: 1, channels: 1, samples: Uint8Array.of(1, 2) } as const;

test('where something is missing that the codec needs, an error says so', async () => {
  const unsupported = (message: RegExp) => ({
    name: 'CnfzipError',
    code: 'unsupported',
    message: expect.stringMatching(message),
  });
  const noSimd = { validate: () => false };
  const bigEndian = { of: () => Uint8Array.of(0, 1) };
  vi.stubGlobal('WebAssembly', noSimd);
  await expect(Kernels.create()).rejects.toMatchObject(unsupported(/no fixed-width SIMD/));
  await expect(encodeImage(image, models)).rejects.toMatchObject(unsupported(/no fixed-width SIMD/));
  vi.unstubAllGlobals();
  for (const [name, value, message] of [
    ['WebAssembly', undefined, /no WebAssembly/],
    ['Uint16Array', bigEndian, /not little-endian/],
  ] as const) {
    vi.stubGlobal(name, value);
    await expect(Kernels.create()).rejects.toMatchObject(unsupported(message));
    await expect(encodeImage(image, [])).rejects.toMatchObject(unsupported(message));
    await expect(decodeImage(Uint8Array.of(0), [])).rejects.toMatchObject(unsupported(message));
    vi.unstubAllGlobals();
  }
  const file = await encodeImage(image, models);
  expect((await decodeImage(file, models)).samples).toEqual(image.samples);
});

test('what failed to compile or to start once is tried again', async () => {
  vi.resetModules();
  const { oncePerFlow } = await import('../../codec/coding.js');
  const flow = { model: models[0], learning: 'none' } as const;
  for (const step of ['compile', 'instantiate'] as const) {
    const coderOf = oncePerFlow();
    vi.spyOn(WebAssembly, step).mockRejectedValueOnce(new RangeError('out of memory'));
    await expect(coderOf(flow)).rejects.toThrow('out of memory');
    expect(await coderOf(flow)).toMatchObject({ concurrency: 1 });
    vi.restoreAllMocks();
  }
});

test.runIf(process.arch === 'x64').each([
  ['--jitless', /no WebAssembly/],
  ['--no-enable-sse4-1', /no fixed-width SIMD/],
])('the program under node %s says so in one line', (flag, message) => {
  const args = [flag, MAIN, 'compress', '-c', 'fixtures/water-32x32.png'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args);
  expect([status, stdout.length]).toEqual([1, 0]);
  const lines = String(stderr).trimEnd().split('\n');
  expect(lines.filter((line) => !line.startsWith('Warning: disabling flag'))).toEqual([expect.stringMatching(message)]);
});
