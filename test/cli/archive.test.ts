import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readArchive, writeArchive } from '../../codec/archive/directory.js';
import { nameProblem, readNames, writeNames } from '../../codec/archive/names.js';
import { decodeSequence, encodeSequence } from '../../codec/archive/sequence.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { type Channels, type Image, sameImage } from '../../codec/image.js';
import { toSource } from '../../codec/source.js';
import { temporaryFiles } from '../../src/fuzz/leftovers.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { encodePng, readImage } from '../../src/index.js';
import { writeFileAtomic } from '../../src/io/files/write.js';
import { readTar, writeTar } from '../../src/io/tar.js';
import { untrainedModel } from '../codec/untrained.js';
import { fixture, MAIN } from '../paths.js';

let folder: string;
let images: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-archive-'));
  images = join(folder, 'images');
  mkdirSync(join(images, 'below'), { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true }));

function archive(...words: string[]) {
  return spawnSync(process.execPath, [MAIN, 'archive', ...words], { encoding: 'utf8', cwd: folder });
}

/** A slope with noise: no graphic. */
function photograph(channels: Channels, seed: number): Image {
  const random = randomIntegers(seed);
  const samples = Uint8Array.from({ length: 12 * 10 * channels }, (_, i) => 60 + (i >> 2) + random(9));
  return { width: 12, height: 10, channels, maxval: 255, samples };
}

/** Writes photographs of one size, numbered. */
function writePhotographs(count: number, channels: Channels = 3): void {
  for (let i = 0; i < count; i++) {
    const name = `${channels}-${String(i).padStart(3, '0')}.png`;
    writeFileSync(join(images, 'below', name), encodePng(photograph(channels, i)));
  }
}

const sourceOf = (bytes: Uint8Array) => ({ ...toSource(bytes), size: bytes.length });

test('names come back, numbered ones for a byte each', () => {
  const random = randomIntegers(7);
  for (let trial = 0; trial < 200; trial++) {
    const letters = ['a', 'b', '9', '09', '99', '0', '.png', 'é', '雪', ' ', '-', '😀', '/x', '%'];
    const names = new Set<string>();
    for (let i = 0; i < 30; i++) {
      names.add(`x${Array.from({ length: random(9) }, () => letters[random(letters.length)]).join('')}`);
    }
    expect(readNames(writeNames([...names]))).toEqual([...names]);
  }
  const numbered = Array.from({ length: 1200 }, (_, i) => `set/${String(i).padStart(3, '0')}.png`);
  const bytes = writeNames(numbered);
  expect(readNames(bytes)).toEqual(numbered);
  expect(bytes.length).toBeLessThan(1200 + 20);
});

test('names that lead elsewhere are neither written nor read', () => {
  for (const name of [
    '',
    '/etc/passwd',
    '../a.png',
    'a/../../b',
    'a//b',
    './a',
    'a/',
    'a\\b',
    'a\nb',
    '\ud800',
    'x'.repeat(5000),
  ]) {
    expect(nameProblem(name), name).toBeTypeOf('string');
    // UTF-8 knows no half of a pair.
    if (name !== '\ud800') expect(() => readNames(writeNames([name])), name).toThrow(/names are malformed/);
  }
  expect(() => readNames(writeNames(['a', 'b', 'a']))).toThrow(/names are malformed/);
  for (const name of ['a', '..a', 'a..', 'a/b.c/d', 'ä b%20', '...']) expect(nameProblem(name)).toBeUndefined();
});

test('a sequence comes back, any first images of it, and no other', async () => {
  for (const channels of [1, 3] as const) {
    const codec = await TileCodec.create({ model: await untrainedModel(channels), learning: 'heads' as const });
    const metadata = [{ type: 'tEXt', place: 'start' as const, data: randomBytes(50, 1) }];
    const all = Array.from({ length: 9 }, (_, i) => ({
      ...photograph(channels, i),
      ...(channels === 3 && { metadata }),
    }));
    const part = encodeSequence(all, codec);
    expect(decodeSequence(part, all[0] as never, 9, codec)).toEqual(all);
    expect(decodeSequence(part, all[0] as never, 9, codec, 4)).toEqual(all.slice(0, 4));
    // The samples' checksums hold even where the part's does not look.
    const forged = part.slice();
    forged[channels === 3 ? 90 : 5] ^= 1;
    expect(() => decodeSequence(forged, all[0] as never, 9, codec)).toThrow(/damaged|corrupt/);
    expect(() => decodeSequence(part, all[0] as never, 8, codec)).toThrow(/damaged|corrupt/);
    expect(() => decodeSequence(part.subarray(0, 20), all[0] as never, 9, codec)).toThrow(/cut short|corrupt/);
  }
});

test('a directory comes back; whatever byte of it or of its end is changed, it is refused', async () => {
  const shard = { width: 3, height: 2, channels: 1 as const, maxval: 255, part: randomBytes(20, 1) };
  const flow = { kernelVersion: 6, modelHash: '0123456789abcdef', learning: 'heads' as const };
  const shards = [
    { ...shard, flow, names: ['a1', 'a2'] },
    { ...shard, channels: 4 as const, maxval: 1023, names: ['x/y'] },
  ];
  const bytes = writeArchive(shards);
  const read = await readArchive(sourceOf(bytes));
  expect(read).toMatchObject(shards.map(({ part, ...rest }) => ({ ...rest, length: part.length })));
  expect(read.map(({ offset }) => offset)).toEqual([5, 25]);
  expect(await readArchive(sourceOf(writeArchive([])))).toEqual([]);
  for (const at of [...Array(5).keys(), ...Array.from({ length: bytes.length - 45 }, (_, i) => 45 + i)]) {
    const changed = bytes.slice();
    changed[at] ^= 1 << (at % 8);
    await expect(readArchive(sourceOf(changed)), `byte ${at}`).rejects.toThrow(/damaged|not a cnfzip archive|version/);
  }
  for (const end of [0, 3, 5, 12, bytes.length - 1]) {
    await expect(readArchive(sourceOf(bytes.subarray(0, end)))).rejects.toThrow(/not a cnfzip archive|cut short/);
  }
  await expect(readArchive(sourceOf(Uint8Array.of(...bytes, 0)))).rejects.toThrow(/damaged/);
});

test('a folder of everything: created, listed, extracted and verified, nothing lost', async () => {
  writePhotographs(7);
  writePhotographs(5, 1);
  writePhotographs(2, 4);
  const names = ['palette-32x32.png', 'alpha-32x32.png', 'gray-tiny-3x5.png', 'tiny-5x3.png'];
  const deep = readdirSync(fixture('')).filter((name) => /16|deep|12bit/.test(name) && name.endsWith('.png'));
  for (const name of [...names, ...deep.slice(0, 1)]) copyFileSync(fixture(name), join(images, name));
  const metadata = [{ type: 'tEXt', place: 'end' as const, data: Buffer.from('Title\0snow') }];
  for (const i of [1, 2]) writeFileSync(join(images, `told-${i}.png`), encodePng({ ...photograph(3, i), metadata }));
  writeFileSync(join(images, 'ten.pgm'), Buffer.concat([Buffer.from('P5 2 1 1023\n'), Buffer.from([3, 255, 0, 9])]));
  writeFileSync(join(images, 'notes.txt'), 'no image');

  const made = archive('create', 'images', '-o', 'set.cnfa', '-3', '--shard-pixels', '500');
  expect(made.stderr).toMatch(/1 files that are no images are left out\nimages -> set\.cnfa: \d+ images, /);
  expect(made.status).toBe(0);
  const all = readdirSync(images, { recursive: true, encoding: 'utf8' }).filter((name) => /png|pgm/.test(name));
  const listed = archive('list', 'set.cnfa').stdout.trim().split('\n');
  expect(listed.map((line) => line.split(': ')[0]).sort()).toEqual(
    all.map((name) => name.replaceAll('\\', '/')).sort(),
  );
  expect(listed).toContain('below/1-002.png: 12 x 10 gray, 8 bits');
  const facts = archive('list', '--json', 'set.cnfa').stdout.trim().split('\n');
  const shards = new Map(facts.map((line) => JSON.parse(line)).map((fact) => [fact.name, fact]));
  // 500 pixels are four images of 12 x 10.
  expect(shards.get('below/3-003.png')).toMatchObject({ shardImages: 4, sequence: true });
  expect(shards.get('told-1.png')).toMatchObject({ shardImages: 2, sequence: true });
  expect(shards.get('below/4-000.png')).toMatchObject({ shardImages: 1, sequence: false, channels: 4 });

  expect(archive('verify', 'set.cnfa', '--from', 'images')).toMatchObject({
    status: 0,
    stdout: `set.cnfa: ${all.length} images proven\n`,
  });
  expect(archive('extract', 'set.cnfa', '--output-dir', 'out').stderr).toBe(`${all.length} images extracted\n`);
  for (const name of all)
    expect(await readImage(join(folder, 'out', name))).toEqual(await readImage(join(images, name)));
  expect(archive('extract', 'set.cnfa', 'below/3-005.png', '-o', 'one.png').status).toBe(0);
  expect(await readImage(join(folder, 'one.png'))).toEqual(await readImage(join(images, 'below/3-005.png')));

  // The same images in other shards are other bytes, and as true.
  expect(archive('create', 'images', '-o', 'whole.cnfa', '-1').status).toBe(0);
  expect(archive('verify', 'whole.cnfa', '--from', 'images').status).toBe(0);
  // A differing source is found.
  writeFileSync(join(images, 'told-1.png'), encodePng(photograph(3, 1)));
  expect(archive('verify', 'set.cnfa', '--from', 'images')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(
      /^cnfzip: told-1\.png: all samples are those of images.told-1\.png, but the metadata are others/,
    ),
  });
}, 120_000);

test('what cannot be done is told in a line, and leaves everything as it was', () => {
  writePhotographs(6);
  expect(archive('create', 'images', '-o', 'set.cnfa', '-1', '--shard-pixels', '360').status).toBe(0);
  const whole = readFileSync(join(folder, 'set.cnfa'));
  const refused = (words: string[], line: RegExp, status = 1) => {
    const before = readdirSync(folder);
    const result = archive(...words);
    expect(result.stderr).toMatch(line);
    expect(result.status).toBe(status);
    expect(readdirSync(folder)).toEqual(before);
  };
  refused(
    ['create', 'images', '-o', 'set.cnfa'],
    /^cnfzip: images: set\.cnfa exists already, and nothing is added to an archive, .*\n$/,
  );
  expect(readFileSync(join(folder, 'set.cnfa')).equals(whole)).toBe(true);
  refused(['create', 'nothing', '-o', 'x.cnfa'], /^cnfzip: nothing: no such file or folder\n$/);
  refused(['create', 'set.cnfa', '-o', 'x.cnfa'], /^cnfzip: set\.cnfa: is no folder\n$/);
  refused(['extract', 'set.cnfa', 'no.png', '-o', 'x.png'], /^cnfzip: set\.cnfa: it holds no image no\.png\n$/);
  refused(['extract', 'set.cnfa'], /name a folder/, 2);
  refused(['list', 'images/below/3-000.png'], /not a cnfzip archive/);
  refused(['list', 'missing.cnfa'], /no such file/);

  // Damage costs the images of its shard, and not the others.
  const damaged = whole.slice();
  damaged[10] ^= 1;
  writeFileSync(join(folder, 'damaged.cnfa'), damaged);
  expect(archive('extract', 'damaged.cnfa', '--output-dir', 'out')).toMatchObject({
    status: 1,
    stderr:
      'cnfzip: below/3-000.png to below/3-002.png: damaged: its checksum does not match\n3 of 6 images extracted\n',
  });
  // Nothing is replaced without leave.
  expect(archive('extract', 'set.cnfa', '--output-dir', 'out').stderr).toMatch(
    /it exists already.*\n3 of 6 images extracted\n$/s,
  );
  expect(archive('extract', '-f', 'set.cnfa', '--output-dir', 'out').status).toBe(0);

  copyFileSync(join(images, 'below/3-000.png'), join(images, 'a.png'));
  writeFileSync(join(images, 'a.pgm'), 'P5 1 1 255\n0');
  refused(
    ['create', 'images', '-o', 'x.cnfa', '-1'],
    /a\.png: it would be extracted to the same file as a\.pgm; no archive is written\n$/,
  );
  rmSync(join(images, 'a.pgm'));
  writeFileSync(join(images, 'b.png'), readFileSync(join(images, 'a.png')).subarray(0, 60));
  refused(
    ['create', 'images', '-o', 'x.cnfa', '-1'],
    /^cnfzip: images: images.b\.png: PNG cut short.*no archive is written\n$/,
  );
}, 120_000);

test('killed at any moment, there is no archive or a whole one, and nothing else stays', async () => {
  writePhotographs(60);
  const random = randomIntegers(11);
  const started = performance.now();
  expect(archive('create', 'images', '-o', 'whole.cnfa', '-1').status).toBe(0);
  const takes = performance.now() - started;
  const whole = readFileSync(join(folder, 'whole.cnfa'));
  const target = join(folder, 'set.cnfa');
  for (let round = 0; round < 6; round++) {
    rmSync(target, { force: true });
    const child: ChildProcess = spawn(process.execPath, [MAIN, 'archive', 'create', images, '-o', target, '-1', '-q'], {
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), takes * (0.7 + random(50) / 100));
    await ended;
    clearTimeout(timer);
    if (existsSync(target)) expect(readFileSync(target).equals(whole)).toBe(true);
  }
  expect(archive('create', 'images', '-o', 'set.cnfa', '-1', '-f', '-T', '1').status).toBe(0);
  expect(temporaryFiles(folder)).toEqual([]);
  // Threads change nothing.
  expect(readFileSync(target).equals(whole)).toBe(true);
}, 120_000);

test('a tar file becomes an archive, and an archive a tar file', async () => {
  const expected = new Map<string, Image>();
  async function* files() {
    for (let i = 0; i < 6; i++) {
      // Longer than a name in a tar file's first header.
      const name = `${'shard'.repeat(i === 3 ? 40 : 1)}/00${i}.png`;
      expected.set(name, photograph(3, i));
      yield { name: i === 0 ? `./${name}` : name, bytes: encodePng(photograph(3, i)) };
      yield { name: `shard/00${i}.cls`, bytes: Buffer.from('7') };
    }
  }
  await writeFileAtomic(join(folder, 'set.tar'), writeTar(files()));
  const made = archive('create', 'set.tar', '-o', 'set.cnfa', '-1', '--shard-pixels', '360');
  expect(made.stderr).toMatch(
    /^cnfzip: set\.tar: warning: 6 files that are no images are left out\nset\.tar -> set\.cnfa: 6 images/,
  );
  expect(archive('extract', 'set.cnfa', '-o', 'back.tar').stderr).toBe('6 images extracted\n');
  for (const source of ['set.tar', 'back.tar']) {
    expect(archive('verify', 'set.cnfa', '--from', source)).toMatchObject({
      status: 0,
      stdout: 'set.cnfa: 6 images proven\n',
    });
  }
  // One differs, one is only in the archive, one only in the tar file, one cannot be read.
  async function* others() {
    for await (const file of files()) {
      const { name } = file;
      if (name.endsWith('001.png')) yield { name, bytes: encodePng(photograph(3, 77)) };
      else if (name.endsWith('002.png')) yield { ...file, name: name.replace('002', '999') };
      else if (name.endsWith('004.png')) yield { name, bytes: file.bytes.subarray(0, 60) };
      else yield file;
    }
  }
  await writeFileAtomic(join(folder, 'other.tar'), writeTar(others()));
  const compared = archive('verify', 'set.cnfa', '--from', 'other.tar');
  expect([compared.status, compared.stdout]).toEqual([1, 'set.cnfa: 3 of 6 images proven\n']);
  expect(compared.stderr.trim().split('\n')).toEqual([
    'cnfzip: shard/001.png: the image in the archive differs from other.tar: shard/001.png',
    'cnfzip: shard/002.png: the source has no such image',
    expect.stringMatching(/^cnfzip: shard\/004\.png: other\.tar: shard\/004\.png: PNG cut short/),
    'cnfzip: other.tar: shard/999.png: it is not in the archive',
  ]);
  const found: string[] = [];
  for await (const { name, bytes } of readTar([readFileSync(join(folder, 'back.tar'))])) {
    found.push(name);
    expect(sameImage(await readImage(bytes), expected.get(name)!), name).toBe(true);
  }
  expect(found).toEqual([...expected.keys()]);
  const listed = spawnSync('tar', ['tf', 'back.tar'], { cwd: folder, encoding: 'utf8' });
  if (!listed.error) expect(listed.stdout.trim().split('\n')).toEqual(found);

  const whole = readFileSync(join(folder, 'set.tar'));
  writeFileSync(join(folder, 'cut.tar'), whole.subarray(0, 3000));
  const cut = archive('create', 'cut.tar', '-o', 'cut.cnfa', '-1');
  expect([cut.status, cut.stderr]).toEqual([
    1,
    expect.stringMatching(/^cnfzip: cut\.tar: .*; no archive is written\n$/),
  ]);
  expect(existsSync(join(folder, 'cut.cnfa'))).toBe(false);
}, 120_000);
