import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { encodePng, info } from '../../src/index.js';
import { checkLimits, memoryFor, planWithin, type Work } from '../../src/session/memory.js';
import { modelsForEncoding } from '../../src/session/models.js';
import { MAIN } from '../paths.js';

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

test('a plan stays within its limit, and what is refused would not', async () => {
  const random = randomIntegers(4);
  const models = await modelsForEncoding(4);
  for (let i = 0; i < 300; i++) {
    const size = {
      width: 1 + random(9000),
      height: 1 + random(9000),
      channels: 1 + random(4),
      maxval: [1, 255, 256, 65535][random(4)],
    };
    const work: Work = { operation: i % 2 === 0 ? 'encode' : 'decode', models: models.slice(0, 1 + random(2)) };
    const limit = 1 + random(3e9);
    const least = memoryFor(size, work, 1);
    const check = () => checkLimits(size, { maxMemory: limit }, work);
    if (least > limit) {
      const message = new RegExp(`${Math.ceil(least / 1e6)} MB .* limit of ${Math.ceil(limit / 1e6)} MB`);
      expect(check).toThrow(message);
      continue;
    }
    check();
    const { threads, wholeWebp } = planWithin(limit, size, work, 16);
    const webp = wholeWebp && work.operation === 'encode' ? 60 * size.width * size.height : 0;
    expect(memoryFor(size, work, threads) + webp).toBeLessThanOrEqual(limit);
    if (threads < 16) expect(memoryFor(size, work, threads + 1) + webp).toBeGreaterThan(limit);
  }
});

test('a photograph takes at most what is estimated, and two thirds of it at least', () => {
  const words = [path('dist/src/bench/memory.js'), path('fixtures/kodim23.png')];
  const { stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  const quotients = stdout.match(/\d\.\d\d/g)?.map(Number);
  expect(quotients, stdout).toHaveLength(2);
  for (const quotient of quotients!) {
    expect(quotient, stdout).toBeGreaterThanOrEqual(1);
    expect(quotient, stdout).toBeLessThanOrEqual(1.5);
  }
}, 90_000);

test('a graphic is coded as a whole where memory allows it, else in tiles, and stays within the limit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  try {
    const [width, height] = [1100, 700];
    const samples = new Uint8Array(width * height * 3).map((_, i) => (((i / 3) % width) * (i >> 14)) & 0xe0);
    const file = join(folder, 'a.png');
    writeFileSync(file, encodePng({ width, height, channels: 3, samples }));
    const models = await modelsForEncoding(3, 'fast');
    const least = memoryFor({ width, height, channels: 3, maxval: 255 }, { operation: 'encode', models }, 1);
    const methods = [least, 4 * least].map((limit) => {
      const output = join(folder, `${limit}.cnfz`);
      const { status, stdout } = spawnSync(
        process.execPath,
        [
          '--import',
          `data:text/javascript,process.on('exit',()=>console.log(process.resourceUsage().maxRSS))`,
          MAIN,
          ...[
            'compress',
            '-q',
            '--model',
            'fast',
            '-T',
            '1',
            '--max-memory',
            `${Math.ceil(limit)}`,
            '-o',
            output,
            file,
          ],
        ],
        { encoding: 'utf8' },
      );
      expect(status).toBe(0);
      expect(1024 * Number(stdout)).toBeLessThanOrEqual(limit);
      return info(readFileSync(output)).layers[0].method;
    });
    expect(methods).toEqual(['tiles', 'webp']);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 90_000);
