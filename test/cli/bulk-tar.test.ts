/** Tar shards by `cnfzip bulk`: tar files become archives and archives tar files, each exactly once, proven by the manifest. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SetChecksum } from '../../src/bulk/checksum.js';
import { isFailure, readManifest, type Success } from '../../src/bulk/manifest.js';
import { isOf } from '../../src/bulk/shard.js';
import { findRedis } from '../../src/fuzz/queue/servers.js';
import { type Image, openArchive, readImage } from '../../src/index.js';
import { writeFileAtomic } from '../../src/io/files/write.js';
import { readTar, writeTar } from '../../src/io/tar.js';
import { fixture, MAIN } from '../paths.js';

/** Of each tar file the images' bytes, by names that WebDataset would have them under. */
const SHARDS: Record<string, Record<string, string>> = {
  'a-000.tar': { '0001.png': 'water-32x32.png', '0002.png': 'palette-32x32.png', '0003.png': 'gray-tiny-3x5.png' },
  'a-001.tar': { 'x/0001.png': 'red-door-128x96.png', 'x/0002.png': 'water-32x32.png', '0003.png': 'alpha-32x32.png' },
  'below/a-002.tar': { '0001.png': 'tiny-5x3.png', '0002.png': 'water-32x32.png', '0003.png': 'water-32x32.png' },
};

let folder: string;
let from: string;

const below = (name: string) => join(...name.split('/'));
const archiveName = (tar: string) => tar.replace(/tar$/, 'cnfa');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-bulk-tar-'));
  from = join(folder, 'from');
  mkdirSync(join(from, 'below'), { recursive: true });
  for (const [name, images] of Object.entries(SHARDS)) {
    await writeFileAtomic(join(from, below(name)), writeTar(members(images)));
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

async function* members(images: Record<string, string>) {
  for (const [name, file] of Object.entries(images)) {
    yield { name, bytes: readFileSync(fixture(file)) };
    yield { name: name.replace('png', 'cls'), bytes: Buffer.from('7') };
  }
}

function bulk(...words: string[]) {
  return spawnSync(process.execPath, [MAIN, 'bulk', ...words], { encoding: 'utf8' });
}

const imagesOf = (name: string) =>
  Promise.all(
    Object.entries(SHARDS[name]).map(async ([path, file]): Promise<[string, Image]> => {
      return [path, await readImage(fixture(file))];
    }),
  );

/** Each archive holds what its tar file does, and the manifest says so once. */
async function expectArchives(to: string): Promise<void> {
  const entries = await readManifest(to);
  for (const name of Object.keys(SHARDS)) {
    const images = await imagesOf(name);
    const archive = await openArchive(join(to, below(archiveName(name))), { threads: 1 });
    for (const [path, image] of images) expect(await archive.decode(path), path).toEqual(image);
    expect(archive.images).toHaveLength(images.length);
    await archive.close();
    const checksum = new SetChecksum();
    for (const [path, image] of images) checksum.add({ name: path, image });
    expect(entries.get(below(name))).toMatchObject({
      target: below(archiveName(name)),
      samplesCrc32: checksum.digits(),
      warnings: ['3 files that are no images are left out'],
    });
  }
  expect(linesOf(to)).toHaveLength(entries.size);
}

/** Lines of the manifest that were written to their end. */
function linesOf(to: string): string[] {
  const manifest = join(to, 'cnfzip-manifest');
  return readdirSync(manifest).flatMap((name) => readFileSync(join(manifest, name), 'utf8').match(/.+(?=\n)/g) ?? []);
}

test('shards, one killed and begun again: all archives are exact and made once, and become tar files again', async () => {
  const to = join(folder, 'to');
  const shards = [1, 2].map((index) => `${index}/2`);
  // Every shard has something to do.
  for (const index of [1, 2]) expect(Object.keys(SHARDS).some((name) => isOf({ index, count: 2 }, name))).toBe(true);
  const child = spawn(process.execPath, [MAIN, 'bulk', 'compress', from, '--to', to, '-1', '-q'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  // As soon as there is an archive, whose line may not be there yet.
  const isThere = () => existsSync(join(to, 'a-000.cnfa'));
  for (let waits = 0; waits < 2000 && !isThere(); waits++) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill('SIGKILL');
  await ended;
  for (const shard of shards) {
    expect(bulk('compress', from, '--to', to, '-1', '-q', '--shard', shard)).toMatchObject({ status: 0, stderr: '' });
  }
  await expectArchives(to);
  expect(bulk('compress', from, '--to', to, '-1').stderr).toContain('0 files, 3 done before');
  expect(bulk('verify', to, '--from', from)).toMatchObject({ status: 0, stdout: '3 files proven\n' });
  expect(readdirSync(to, { recursive: true }).sort()).toEqual(
    expect.arrayContaining(Object.keys(SHARDS).map((name) => below(archiveName(name)))),
  );
  expect(readdirSync(to, { recursive: true, encoding: 'utf8' }).filter((name) => /tmp|part/.test(name))).toEqual([]);

  const back = join(folder, 'back');
  expect(bulk('decompress', to, '--to', back)).toMatchObject({ status: 0 });
  for (const name of Object.keys(SHARDS)) {
    const expected = new Map(await imagesOf(name));
    for await (const { name: path, bytes } of readTar([readFileSync(join(back, below(name)))])) {
      expect(await readImage(bytes), path).toEqual(expected.get(path));
      expected.delete(path);
    }
    expect([...expected.keys()]).toEqual([]);
  }
  expect(bulk('verify', back, '--from', to)).toMatchObject({ status: 0, stdout: '3 files proven\n' });

  // Damage is found, and so is a manifest that says something else.
  const archive = join(to, 'a-001.cnfa');
  const whole = readFileSync(archive);
  const damaged = Uint8Array.from(whole);
  damaged[100] ^= 1;
  writeFileSync(archive, damaged);
  expect(bulk('verify', to).stderr).toContain('a-001.cnfa: it is not what was written');
  writeFileSync(archive, whole);
  const { samplesCrc32 } = (await readManifest(back)).get('a-001.cnfa') as Success;
  const [line] = linesOf(to).filter((text) => text.includes('a-001.tar'));
  const wrong = join(to, 'cnfzip-manifest', '9-of-9.jsonl');
  const later = JSON.stringify({ ...JSON.parse(line), at: '9999-01-01T00:00:00.000Z' });
  writeFileSync(wrong, `${later.replace(samplesCrc32, '00000000')}\n`);
  expect(bulk('verify', to).stderr).toContain('a-001.cnfa: its samples are not those of the source');
}, 120_000);

test('a tar file that holds no images, or one that cannot be read, is listed and costs no other', async () => {
  const [sources, to] = [join(folder, 'bad'), join(folder, 'bad-to')];
  mkdirSync(sources);
  const put = (name: string, file: string, bytes: Uint8Array) =>
    writeFileAtomic(
      join(sources, name),
      writeTar(
        (async function* () {
          yield { name: file, bytes };
        })(),
      ),
    );
  const water = readFileSync(fixture('water-32x32.png'));
  await put('cut.tar', 'x.png', water.subarray(0, 300));
  await put('empty.tar', 'notes.txt', water);
  await put('good.tar', 'x.png', water);
  writeFileSync(join(sources, 'short.tar'), readFileSync(join(sources, 'good.tar')).subarray(0, 900));
  expect(bulk('compress', sources, '--to', to, '-1').status).toBe(1);
  const entries = [...(await readManifest(to)).values()].filter(isFailure);
  expect(Object.fromEntries(entries.map(({ source, error }) => [source, error.message]))).toEqual({
    'cut.tar': expect.stringMatching(/^cut\.tar: x\.png: PNG cut short/),
    'empty.tar': 'it holds no images',
    'short.tar': expect.stringMatching(/^the tar file: /),
  });
  expect(readdirSync(to).sort()).toEqual(['cnfzip-manifest', 'good.cnfa']);
}, 60_000);

test('a queue: two workers make all archives once, and tar files of them', async (context) => {
  const installed = findRedis();
  if (!installed) return context.skip('redis-server is not installed');
  const [to, back] = [join(folder, 'queue-to'), join(folder, 'queue-back')];
  const server = await installed.start();
  const work = () => {
    const child = spawn(process.execPath, [MAIN, 'bulk', 'work', '-T', '1', '--queue', server.url], {
      stdio: 'ignore',
    });
    return new Promise((resolve) => child.on('close', resolve));
  };
  try {
    const add = (...words: string[]) => bulk('add', ...words, '--queue', server.url);
    expect(add(from, '--to', to, '-1').stderr).toContain('3 files: in the queue');
    expect(await Promise.all([work(), work()])).toEqual([0, 0]);
    await expectArchives(to);
    expect(add(to, '--to', back, '--verb', 'decompress').status).toBe(0);
    expect(add(from, '--to', to, '--verb', 'verify').stderr).toContain('3 files: in the queue');
    expect(await work()).toBe(0);
    expect(bulk('verify', back, '--from', to)).toMatchObject({ status: 0, stdout: '3 files proven\n' });
    expect(existsSync(join(back, 'below', 'a-002.tar'))).toBe(true);
  } finally {
    await server.stop();
  }
}, 60_000);
