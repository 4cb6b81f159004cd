import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isFailure, readManifest } from '../../src/bulk/manifest.js';
import { isOf, parseShard } from '../../src/bulk/shard.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { encodePng } from '../../src/index.js';
import { fixture, MAIN } from '../paths.js';

let folder: string;
let from: string;
let to: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-bulk-'));
  from = join(folder, 'from');
  to = join(folder, 'to');
  mkdirSync(join(from, 'below'), { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true }));

function bulk(...words: string[]) {
  return spawnSync(process.execPath, [MAIN, 'bulk', ...words], { encoding: 'utf8' });
}

/** Results, by their paths below the folder. */
function results(): string[] {
  const all = readdirSync(to, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => name.endsWith('.cnfz')).sort();
}

/** Writes small images of random colours. */
async function makeImages(count: number): Promise<void> {
  const random = randomIntegers(count);
  for (let i = 0; i < count; i++) {
    const samples = Uint8Array.from({ length: 16 * 16 * 3 }, () => random(40));
    const png = await encodePng({ width: 16, height: 16, channels: 3, samples });
    writeFileSync(join(from, i % 3 === 0 ? 'below' : '', `${i}.png`), png);
  }
}

test('every file is in one shard, whatever the separator', () => {
  const random = randomIntegers(3);
  for (let trial = 0; trial < 200; trial++) {
    const count = 1 + random(20);
    const path = `a/${random(1000)}/${random(1000)}.png`;
    const shards = Array.from({ length: count }, (_, i) => ({ index: i + 1, count }));
    expect(shards.filter((shard) => isOf(shard, path))).toHaveLength(1);
    for (const shard of shards) expect(isOf(shard, path.replaceAll('/', '\\'))).toBe(isOf(shard, path));
  }
  // Numbered names are spread, few of them, too.
  const numbered = Array.from({ length: 16 }, (_, i) => `shard-${String(i).padStart(6, '0')}.tar`);
  for (const index of [1, 2]) {
    const share = numbered.filter((name) => isOf({ index, count: 2 }, name)).length;
    expect(share).toBeGreaterThan(3);
  }
  expect(parseShard('2/8')).toEqual({ index: 2, count: 8 });
  for (const wrong of ['', '0/2', '3/2', '1', '1/0', 'a/b', '1/2/3', '-1/2', '1/99999999']) {
    expect(() => parseShard(wrong)).toThrow(/two integers are needed/);
  }
});

test('shards make all results, a second run none, and the manifest proves them and what became of them', async () => {
  for (const name of ['water-32x32.png', 'palette-32x32.png', 'alpha-32x32.png'])
    cpSync(fixture(name), join(from, name));
  cpSync(fixture('tiny-5x3.png'), join(from, 'below', 'tiny.png'));
  writeFileSync(join(from, 'below', 'cut.png'), readFileSync(fixture('water-32x32.png')).subarray(0, 300));
  writeFileSync(join(from, 'notes.txt'), 'no image');

  const shards = [1, 2].map((i) => bulk('compress', from, '--to', to, '-1', '--shard', `${i}/2`));
  expect(shards.map(({ status }) => status).sort()).toEqual([0, 1]);
  expect(results()).toEqual(
    ['alpha-32x32.cnfz', 'below/tiny.cnfz', 'palette-32x32.cnfz', 'water-32x32.cnfz'].map((p) => join(p)),
  );
  const entries = await readManifest(to);
  expect(entries.size).toBe(5);
  expect([...entries.values()].filter(isFailure).map(({ source }) => source)).toEqual([join('below', 'cut.png')]);

  const again = bulk('compress', from, '--to', to, '-1');
  expect(again.status).toBe(1);
  expect(again.stderr).toContain('failed before');
  expect(again.stderr).toContain('0 files, 4 done before, 1 failed before');
  expect(bulk('status', to).stdout).toMatch(/^done: 4 files.*failed: 1\n.*cut\.png: PNG cut short/);

  // The source is mended, and is tried again by itself.
  cpSync(fixture('red-door-128x96.png'), join(from, 'below', 'cut.png'));
  expect(bulk('compress', from, '--to', to, '-1').status).toBe(0);
  const proof = bulk('verify', to, '--from', from);
  expect(proof.stdout).toBe('5 files proven\n');
  expect(proof.status).toBe(0);

  // Another image under a name that has a result: nothing is replaced.
  cpSync(fixture('tiny-5x3.png'), join(from, 'water-32x32.png'));
  const before = readFileSync(join(to, 'water-32x32.cnfz'));
  const changed = bulk('compress', from, '--to', to, '-1');
  expect(changed.status).toBe(1);
  expect(changed.stderr).toMatch(/water-32x32\.cnfz exists already, and is not what it becomes/);
  expect(readFileSync(join(to, 'water-32x32.cnfz')).equals(before)).toBe(true);

  // Damage to a result, or to a source, is found.
  before[before.length >> 1] ^= 1;
  writeFileSync(join(to, 'water-32x32.cnfz'), before);
  expect(bulk('verify', to).stderr).toMatch(
    /water-32x32\.cnfz: it is not what was written|water-32x32\.png: has no result/,
  );

  const back = join(folder, 'back');
  rmSync(join(to, 'water-32x32.cnfz'));
  expect(bulk('decompress', to, '--to', back).status).toBe(0);
  expect(bulk('verify', back, '--from', to).stdout).toBe('4 files proven\n');
}, 120_000);

test('killed at any moment and begun again, all results are exact and none is missing', async () => {
  await makeImages(7);
  const random = randomIntegers(5);
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [MAIN, 'bulk', 'compress', from, '--to', to, '-1', '-q'], {
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const known = existsSync(to) ? results().length : 0;
    // As soon as it has made a result more, and a moment.
    for (let waits = 0; waits < 400 && child.exitCode === null; waits++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (existsSync(to) && results().length > known) break;
    }
    await new Promise((resolve) => setTimeout(resolve, random(60)));
    child.kill('SIGKILL');
    await ended;
  }
  // What a line that was being written may look like.
  appendFileSync(join(to, 'cnfzip-manifest', '1-of-1.jsonl'), '{"source":"1.png","sourceBy');
  expect(bulk('compress', from, '--to', to, '-1').status).toBe(0);
  expect(results()).toHaveLength(7);
  const proof = bulk('verify', to, '--from', from);
  expect(proof.stdout).toBe('7 files proven\n');
  expect(readdirSync(to, { recursive: true, encoding: 'utf8' }).filter((name) => /tmp|\.part/.test(name))).toEqual([]);
  // A source that is touched is looked at again, and its result found to be the same.
  utimesSync(join(from, '1.png'), 1e9, 1e9);
  expect(bulk('compress', from, '--to', to, '-1').stderr).toContain('1 file, 6 done before');
}, 120_000);

test('a dry run writes nothing, and what is no folder is told', async () => {
  await makeImages(3);
  const dry = bulk('compress', from, '--to', to, '--dry-run', '-1');
  expect(dry.stdout).toMatch(/^to do: 3 files.*\nestimate, from 3 files: .* in one process\n$/);
  expect(existsSync(to)).toBe(false);
  const missing = bulk('compress', join(folder, 'nothing'), '--to', to);
  expect(missing.status).toBe(1);
  expect(missing.stderr).toMatch(/nothing: no such file or folder/);
  expect(bulk('verify', from).stderr).toMatch(/has no manifest of results/);
  expect(bulk('compress', from).status).toBe(2);
}, 60_000);

test('sources without a result are told, whatever the manifest has', async () => {
  await makeImages(6);
  const [shard] = [1, 2, 3].filter((index) => {
    const names = readdirSync(from, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.png'));
    return names.some((name) => isOf({ index, count: 3 }, name));
  });
  expect(bulk('compress', from, '--to', to, '-1', '-q', '--shard', `${shard}/3`).status).toBe(0);
  const done = results().length;
  const part = bulk('verify', to, '--from', from);
  expect(part).toMatchObject({ status: 1, stdout: `${done} of 6 files proven\n` });
  expect(part.stderr.match(/^cnfzip: .+\.png: it has no result\n/gm)).toHaveLength(6 - done);
  // A shard is proven by itself.
  expect(bulk('verify', to, '--from', from, '--shard', `${shard}/3`).status).toBe(0);

  expect(bulk('compress', from, '--to', to, '-1', '-q').status).toBe(0);
  expect(bulk('verify', to, '--from', from)).toMatchObject({ status: 0, stdout: '6 files proven\n' });
  cpSync(fixture('tiny-5x3.png'), join(from, 'below', 'new.png'));
  expect(bulk('verify', to, '--from', from)).toMatchObject({
    status: 1,
    stderr: `cnfzip: ${join(from, 'below', 'new.png')}: it has no result\n`,
  });
  // Results of decompression are images, whose sources are .cnfz files: images beside these are no sources.
  const back = join(folder, 'back');
  expect(bulk('decompress', to, '--to', back, '-q').status).toBe(0);
  cpSync(fixture('tiny-5x3.png'), join(to, 'other.png'));
  expect(bulk('verify', back, '--from', to)).toMatchObject({ status: 0, stdout: '6 files proven\n' });
}, 120_000);

test.skipIf(process.platform !== 'linux')(
  'a name that is not UTF-8 is left out, and told',
  () => {
    cpSync(fixture('tiny-5x3.png'), join(from, 'a.png'));
    writeFileSync(Buffer.from(`${from}/\xff.png`, 'latin1'), readFileSync(fixture('tiny-5x3.png')));
    const told = `cnfzip: ${join(from, '\\xff.png')}: its name is not UTF-8\n`;
    for (const [round, last] of ['1 file: ', '0 files, 1 done before: '].entries()) {
      const { status, stderr } = bulk('compress', from, '--to', to, '-1');
      expect(stderr, String(round)).toMatch(told);
      expect(stderr).toMatch(last);
      expect(status).toBe(1);
    }
    expect(results()).toEqual(['a.cnfz']);
    expect(bulk('verify', to, '--from', from)).toMatchObject({ status: 1, stderr: told });
    const single = spawnSync(process.execPath, [MAIN, '-r', from, '--output-dir', join(folder, 'o')], {
      encoding: 'utf8',
    });
    expect(single).toMatchObject({ status: 1, stderr: expect.stringContaining(told) });
    expect(existsSync(join(folder, 'o', 'a.cnfz'))).toBe(true);
  },
  60_000,
);

test('the status of no folder is an error, and help tells what is done without --shard', () => {
  expect(bulk('status', join(folder, 'nope'))).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/nope: no such file or folder\n$/),
  });
  expect(bulk('compress', '--help').stdout).toMatch(/--shard <i\/n> .*\(default: all of\s+them\)/s);
});
