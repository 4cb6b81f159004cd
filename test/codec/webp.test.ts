import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Layer } from '../../codec/layer.js';
import { decodeWebp, encodeWebp, releaseWebpEncoder, type WebpEffort } from '../../codec/layers/webp.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { collectGarbage } from '../../src/session/garbage.js';
import '../../src/session/webp.js';

const EFFORTS: readonly WebpEffort[] = ['probe', 'good', 'best'];
const refusal = { name: 'CnfzipError', code: 'corrupt' };

/** A small layer of some kind: flat, a slope with noise, few values, blocks. */
function randomLayer(seed: number): Layer {
  const random = randomIntegers(seed);
  const [width, height] = [1 + random(40), 1 + random(40)];
  const channels = (1 + random(4)) as Layer['channels'];
  const [kind, noise] = [random(4), 1 + random(40)];
  const samples = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    if (kind === 0) return noise;
    if (kind === 1) return i / noise + random(noise);
    return kind === 2 ? 6 * random(noise) : 37 * (((i % width) >> 2) + ((i / width) >> 2));
  });
  return { width, height, channels, maxval: 255, samples };
}

test('layers come back from streams that end with their last byte: one byte less or more is refused', async () => {
  for (let seed = 0; seed < 120; seed++) {
    const layer = randomLayer(seed);
    const stream = await encodeWebp(layer, EFFORTS[seed % 3]);
    expect(await decodeWebp(stream, layer), `seed ${seed}`).toEqual(layer);
    await expect(decodeWebp(stream.subarray(0, -1), layer)).rejects.toMatchObject(refusal);
    for (const more of [[0], [255], [seed & 255, 7, 7]]) {
      await expect(decodeWebp(Uint8Array.from([...stream, ...more]), layer)).rejects.toMatchObject(refusal);
    }
  }
});

test('a stream of colours is none of gray, nor one with alpha one without', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const layer = randomLayer(4 * seed + 1);
    const { width, height } = layer;
    const samples = Uint8Array.from({ length: width * height * 4 }, (_, i) => 7 * i + seed);
    const stream = await encodeWebp({ ...layer, channels: 4, samples }, 'probe');
    for (const channels of [1, 2, 3] as const) {
      await expect(decodeWebp(stream, { ...layer, channels })).rejects.toMatchObject(refusal);
    }
  }
});

test.skipIf(process.arch !== 'x64')(
  'without AVX, where V8 computes some SIMD wrongly, streams are the same',
  async () => {
    const layers = Array.from({ length: 40 }, (_, seed) => randomLayer(seed));
    const script = `
    import { encodeWebp } from ${JSON.stringify(new URL('../../dist/codec/layers/webp.js', import.meta.url).href)};
    import ${JSON.stringify(new URL('../../dist/src/session/webp.js', import.meta.url).href)};
    for (const { samples, ...layer } of ${JSON.stringify(layers.map((layer) => ({ ...layer, samples: [...layer.samples] })))}) {
      const stream = await encodeWebp({ ...layer, samples: Uint8Array.from(samples) }, 'good');
      console.log(Buffer.from(stream).toString('hex'));
    }`;
    const { stdout } = spawnSync(process.execPath, ['--no-enable-avx', '--input-type=module'], { input: script });
    const expected: string[] = [];
    for (const layer of layers) expected.push(Buffer.from(await encodeWebp(layer, 'good')).toString('hex'));
    expect(stdout.toString().trim().split('\n')).toEqual(expected);
  },
);

test('the memory of an encoder that is released is free', async () => {
  const [width, height] = [1000, 1000];
  const samples = new Uint8Array(3 * width * height).map((_, i) => (i * i) >> 7);
  const layer: Layer = { width, height, channels: 3, maxval: 255, samples };
  await decodeWebp(await encodeWebp(layer, 'probe'), layer);
  collectGarbage();
  const before = process.memoryUsage().external;
  releaseWebpEncoder();
  const freed = () => {
    collectGarbage();
    return before - process.memoryUsage().external;
  };
  // What libwebp takes for a megapixel.
  await expect.poll(freed, { timeout: 10_000 }).toBeGreaterThan(30e6);
});
