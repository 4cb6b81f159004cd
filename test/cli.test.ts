import { spawn, spawnSync } from 'node:child_process';
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
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodePng, type FileInfo } from '../src/index.js';

const MAIN = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  copyFileSync(fixture('red-door-128x96.png'), join(folder, 'a.png'));
  copyFileSync(fixture('gray-tiny-3x5.png'), join(folder, 'b.png'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function cnfzip(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder });
  return { status, stdout, text: stdout.toString(), stderr: stderr.toString() };
}

const files = () => readdirSync(folder).sort();
const read = (name: string) => readFileSync(join(folder, name));

/** One clear line on stderr, exit code 1, and the folder as it was before. */
function expectRefusal(args: string[], line: RegExp): void {
  const before = files();
  const { status, stderr, stdout } = cnfzip(...args);
  expect(stderr).toMatch(/^cnfzip: [^\n]+\n$/);
  expect(stderr).toMatch(line);
  expect(status).toBe(1);
  expect(stdout).toHaveLength(0);
  expect(files()).toEqual(before);
}

test('compress, info, decompress: the same samples, inputs kept', () => {
  const compressed = cnfzip('compress', 'a.png', 'b.png');
  expect(compressed.stderr).toMatch(
    /^a\.png -> a\.cnfz: [\d,]+ -> [\d,]+ bytes \([\d.]+ %\), [\d.]+ bits per sample, .*\n/,
  );
  expect(compressed.stderr.split('\n')).toHaveLength(3);
  expect(compressed).toMatchObject({ status: 0, text: '' });
  expect(files()).toEqual(['a.cnfz', 'a.png', 'b.cnfz', 'b.png']);

  const lines = cnfzip('info', '--json', 'a.cnfz', 'b.cnfz').text.trim().split('\n');
  const facts = lines.map((line) => JSON.parse(line) as FileInfo & { file: string; model: string });
  expect(facts[0]).toMatchObject({ file: 'a.cnfz', width: 128, height: 96, channels: 3 });
  expect(facts[0].layers[0]).toMatchObject({ method: 'tiles', model: 'default' });
  expect(facts[1]).toMatchObject({ file: 'b.cnfz', width: 3, height: 5, channels: 1 });
  expect(facts[0].bytes).toBe(read('a.cnfz').length);
  expect(facts[0].overheadBytes).toBeLessThan(40);
  expect(cnfzip('info', 'a.cnfz').text).toMatch(/default/);

  for (const name of ['a', 'b']) {
    expect(cnfzip('decompress', `${name}.cnfz`, '-o', `${name}2.png`)).toMatchObject({ status: 0, text: '' });
    expect(decodePng(read(`${name}2.png`))).toEqual(decodePng(read(`${name}.png`)));
  }
  expect(files()).toEqual(['a.cnfz', 'a.png', 'a2.png', 'b.cnfz', 'b.png', 'b2.png']);
});

test('-o, -c, -f and -q', () => {
  expect(cnfzip('compress', '-q', '-o', 'x', 'a.png')).toMatchObject({ status: 0, stderr: '' });
  const { stdout, status } = cnfzip('compress', '-q', '-c', 'a.png');
  expect(status).toBe(0);
  expect(Buffer.compare(stdout, read('x'))).toBe(0);
  expect(files()).toEqual(['a.png', 'b.png', 'x']);
  expect(cnfzip('decompress', '-qc', 'x').stdout.subarray(1, 4).toString()).toBe('PNG');
  expect(cnfzip('compress', '-qf', '-o', 'x', 'b.png').status).toBe(0);
  expect(Buffer.compare(stdout, read('x'))).not.toBe(0);
});

test('a reader that goes away is no crash', async () => {
  const child = spawn(process.execPath, [MAIN, 'compress', '-c', fixture('kodim23.png')], { cwd: folder });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect(stderr).toMatch(/^cnfzip: .*kodim23\.png: cannot write standard output[^\n]*\n$/);
  expect(status).toBe(1);
}, 30_000);

test('the same bytes with one thread and with two', () => {
  const gray = fixture('gray-boat-531x60.png');
  const run = (threads: string) => cnfzip('compress', '-qc', '-T', threads, gray).stdout;
  const one = run('1');
  expect(Buffer.compare(one, run('2'))).toBe(0);
  writeFileSync(join(folder, 'gray.cnfz'), one);
  const original = decodePng(readFileSync(gray));
  for (const threads of ['1', '2']) {
    expect(decodePng(cnfzip('decompress', '-qc', '-T', threads, 'gray.cnfz').stdout)).toEqual(original);
  }
});

test('a model in a file: its images need it', () => {
  const shipped = fileURLToPath(new URL('../models/gray.cnfm', import.meta.url));
  const model = Buffer.from(readFileSync(shipped));
  // Another name makes another hash.
  model.write('grey', model.indexOf('"gray"') + 1, 'latin1');
  writeFileSync(join(folder, 'own.cnfm'), model);
  expect(
    cnfzip('compress', '-q', '--model', 'own.cnfm', '-o', 'own.cnfz', fixture('gray-paint-121x121.png')).status,
  ).toBe(0);
  const { stdout } = cnfzip('decompress', '-qc', '--model', './own.cnfm', 'own.cnfz');
  expect(decodePng(stdout)).toEqual(decodePng(readFileSync(fixture('gray-paint-121x121.png'))));
  expectRefusal(['decompress', 'own.cnfz'], /own\.cnfz: needs the model [0-9a-f]{16}, which is not shipped/);
  expectRefusal(['verify', 'own.cnfz'], /needs the model/);
});

test('verify: files and folders, with and without the PNG beside', () => {
  cnfzip('compress', '-q', 'a.png', 'b.png');
  rmSync(join(folder, 'b.png'));
  const { status, text } = cnfzip('verify', '--exact', '.');
  expect(text.split('\n')).toEqual([
    expect.stringMatching(/^a\.cnfz: decodes to a\.png and is encoded byte for byte/),
    expect.stringMatching(/^a\.png: round trip exact/),
    expect.stringMatching(/^b\.cnfz: decodes, checksums match/),
    '',
  ]);
  expect(status).toBe(0);
  expect(cnfzip('verify', '-q', 'a.cnfz')).toMatchObject({ status: 0, text: '', stderr: '' });

  copyFileSync(fixture('tiny-5x3.png'), join(folder, 'a.png'));
  expectRefusal(['verify', 'a.cnfz'], /a\.cnfz: the decoded image differs from a\.png/);
  mkdirSync(join(folder, 'empty'));
  expectRefusal(['verify', 'empty'], /holds no images and no \.cnfz files/);
});

test('one bad file costs a line and the exit code, not the others', () => {
  const { status, stderr } = cnfzip('compress', 'none.png', 'b.png');
  expect(stderr).toMatch(/^cnfzip: none\.png: no such file or folder\nb\.png -> b\.cnfz/);
  expect(status).toBe(1);
  expect(existsSync(join(folder, 'b.cnfz'))).toBe(true);
});

test('damaged files: one clear line, exit 1, nothing written', () => {
  cnfzip('compress', '-q', 'a.png');
  rmSync(join(folder, 'a.png'));
  const good = read('a.cnfz');
  writeFileSync(join(folder, 'cut.cnfz'), good.subarray(0, 500));
  expectRefusal(['decompress', 'cut.cnfz'], /cut\.cnfz: cut short/);
  expectRefusal(['verify', 'cut.cnfz'], /cut short/);
  expectRefusal(['info', 'cut.cnfz'], /cut short/);
  const flipped = Buffer.from(good);
  flipped[300] ^= 4;
  writeFileSync(join(folder, 'flipped.cnfz'), flipped);
  expectRefusal(['decompress', 'flipped.cnfz'], /flipped\.cnfz: damaged: the checksum of the samples/);
  const trailer = Buffer.from(good);
  trailer[good.length - 1] ^= 4;
  writeFileSync(join(folder, 'trailer.cnfz'), trailer);
  expectRefusal(['decompress', 'trailer.cnfz'], /trailer\.cnfz: damaged: the checksum of the decoded samples/);
  expectRefusal(['decompress', '-c', 'trailer.cnfz'], /damaged/);
  writeFileSync(join(folder, 'text.cnfz'), 'hello');
  expectRefusal(['decompress', 'text.cnfz'], /text\.cnfz: not a cnfz file/);
  writeFileSync(join(folder, 'short.png'), readFileSync(fixture('water-32x32.png')).subarray(0, 900));
  expectRefusal(['compress', 'short.png'], /short\.png: PNG cut short/);
});

test('paths that cannot be used: one clear line, exit 1, nothing written', () => {
  expectRefusal(['compress', 'none.png'], /none\.png: no such file/);
  expectRefusal(['compress', '.'], /\.: is a folder/);
  expectRefusal(
    ['compress', 'a.png', '-o', 'none/a.cnfz'],
    /a\.png: cannot write none\/a\.cnfz: there is no folder none/,
  );
  expectRefusal(['compress', 'a.png', '-o', 'b.png/a.cnfz'], /cannot write b\.png\/a\.cnfz/);
  expectRefusal(['compress', 'a.png', '-o', '/proc/a.cnfz'], /cannot write \/proc\/a\.cnfz/);
  expectRefusal(['compress', 'a.png', '-o', 'b.png'], /cannot write b\.png: it exists already/);
  expectRefusal(['compress', 'a.png', '--model', 'none.cnfm'], /model none\.cnfm: no such file/);
  expectRefusal(['compress', 'a.png', '--model', 'none'], /there is no model none/);
  expectRefusal(['decompress', 'a.png'], /a\.png: not a cnfz file/);
  cnfzip('compress', '-q', '-o', 'x', 'a.png');
  expectRefusal(['decompress', 'x'], /x: its name does not end in \.cnfz/);
});

test.each([
  [[], /Usage: cnfzip/],
  [['shrink'], /unknown command 'shrink'/],
  [['compress'], /missing required argument/],
  [['compress', '--fast', 'a.png'], /unknown option '--fast'/],
  [['compress', '-T', '0', 'a.png'], /must be an integer from 1 to 256/],
  [['compress', '-o', 'x', 'a.png', 'b.png'], /--output is for one input only/],
  [['compress', '-c', '-o', 'x', 'a.png'], /cannot be used with/],
])('a wrong command line: %j', (args, message) => {
  const { status, stderr } = cnfzip(...args);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
  expect(files()).toEqual(['a.png', 'b.png']);
});

test('metadata comes back; --strip leaves it out', () => {
  const png = read('a.png');
  const text = Buffer.from('0000000974455874436f6d6d656e74004188f1fc00', 'hex');
  writeFileSync(join(folder, 'm.png'), Buffer.concat([png.subarray(0, 33), text, png.subarray(33)]));
  expect(cnfzip('compress', '-q', 'm.png')).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip('info', 'm.cnfz').text).toMatch(/palette and metadata: \d+ bytes: tEXt 9/);
  expect(cnfzip('decompress', '-qc', 'm.cnfz').stdout.indexOf(text)).toBe(33);
  expect(cnfzip('compress', '-qf', '--strip', 'm.png').status).toBe(0);
  expect(cnfzip('decompress', '-qc', 'm.cnfz').stdout.includes(text)).toBe(false);
});

test('other formats in, and out by --format or by the extension', () => {
  writeFileSync(join(folder, 'x.ppm'), 'P3 2 1 1023\n0 1 1023 512 7 9\n');
  expect(cnfzip('compress', '-q', 'x.ppm')).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip('decompress', '-qf', 'x.cnfz')).toMatchObject({ status: 0, stderr: '' });
  expect(read('x.ppm')).toEqual(Buffer.from('P6\n2 1\n1023\n\0\0\0\x01\x03\xff\x02\0\0\x07\0\x09', 'latin1'));
  expect(cnfzip('compress', '-q', 'a.png').status).toBe(0);
  expect(cnfzip('decompress', '-q', '--format', 'tiff', 'a.cnfz').status).toBe(0);
  expect(read('a.tiff').subarray(0, 2).toString()).toMatch(/II|MM/);
  expect(cnfzip('decompress', '-q', '-o', 'a.webp', 'a.cnfz').status).toBe(0);
  expect(read('a.webp').subarray(8, 12).toString()).toBe('WEBP');
  expectRefusal(['decompress', '-o', 'x.webp', 'x.cnfz'], /x\.cnfz: no WebP can hold it/);
  expect(cnfzip('decompress', '--format', 'jpg', 'a.cnfz').status).toBe(2);
});

test('two inputs of one name do not replace each other', () => {
  writeFileSync(join(folder, 'a.pgm'), 'P2 1 1 255 7');
  const { status, stderr } = cnfzip('compress', '-q', '-f', '--rm', 'a.png', 'a.pgm');
  expect(stderr).toBe('cnfzip: a.pgm: its result would replace that of a.png: name it with -o\n');
  expect(status).toBe(1);
  expect(files()).toEqual(['a.cnfz', 'a.pgm', 'b.png']);
});

test('limits', () => {
  expectRefusal(['compress', '--max-pixels', '1K', '-o', 'x', fixture('kodim23.png')], /more than the limit of 1024/);
  for (const command of ['verify', 'likelihood']) {
    expectRefusal([command, '--max-pixels', '1K', 'a.png'], /a\.png: 128 x 96 pixels are more than the limit of 1024/);
  }
  expectRefusal(['compress', '--max-memory', '9M', 'a.png'], /about \d+ MB of memory, more than the limit of 10 MB/);
  expect(cnfzip('compress', '--max-pixels', 'many', 'a.png').status).toBe(2);
});

test('folders with -r into another folder, with their structure, and back', () => {
  mkdirSync(join(folder, 'in', 'deep'), { recursive: true });
  copyFileSync(fixture('tiny-5x3.png'), join(folder, 'in', 'one.png'));
  copyFileSync(fixture('gray-tiny-3x5.png'), join(folder, 'in', 'deep', 'two.PNG'));
  expectRefusal(['compress', 'in'], /^cnfzip: in: is a folder \(-r takes the files in it\)$/m);
  expect(cnfzip('compress', '-q', '-r', 'in', 'a.png', '--output-dir', 'out')).toMatchObject({ status: 0, stderr: '' });
  expect(readdirSync(join(folder, 'out'), { recursive: true }).sort()).toEqual([
    'a.cnfz',
    'deep',
    join('deep', 'two.cnfz'),
    'one.cnfz',
  ]);
  expect(cnfzip('decompress', '-q', '-r', 'out', '--output-dir', 'back').status).toBe(0);
  const original = decodePng(readFileSync(fixture('gray-tiny-3x5.png')));
  expect(decodePng(read(join('back', 'deep', 'two.png')))).toEqual(original);
});

test('standard input and output', () => {
  const pipe = (args: string[], input: Uint8Array) =>
    spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, input });
  const packed = pipe(['compress', '-q', '-'], read('a.png'));
  expect(packed).toMatchObject({ status: 0 });
  const unpacked = pipe(['decompress', '-q', '-'], packed.stdout);
  expect(decodePng(unpacked.stdout)).toEqual(decodePng(read('a.png')));
  const broken = pipe(['decompress', '-'], packed.stdout.subarray(0, 40));
  expect(broken.stderr.toString()).toMatch(/^cnfzip: standard input: [^\n]+\n$/);
  expect(broken).toMatchObject({ status: 1, stdout: Buffer.alloc(0) });
});

test('--rm removes inputs, but only those that came through', () => {
  writeFileSync(join(folder, 'bad.png'), 'no image');
  expect(cnfzip('compress', '-q', '--rm', 'a.png', 'bad.png').status).toBe(1);
  expect(files()).toEqual(['a.cnfz', 'b.png', 'bad.png']);
});

test('levels stand for models; two of them, or a level and a model, are refused', () => {
  expect(cnfzip('compress', '-q', '-1', 'a.png').status).toBe(0);
  expect(cnfzip('info', 'a.cnfz').text).toMatch(/model fast /);
  expect(cnfzip('compress', '-1', '-9', 'b.png')).toMatchObject({ status: 2 });
  expect(cnfzip('compress', '-1', '--model', 'best', 'b.png')).toMatchObject({ status: 2 });
  expect(files()).toEqual(['a.cnfz', 'a.png', 'b.png']);
});

test('--json tells what was done, a line a file', () => {
  const { text, stderr } = cnfzip('compress', '--json', 'a.png', 'b.png');
  const [a, b] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(stderr).toBe('');
  expect(a).toMatchObject({ input: 'a.png', output: 'a.cnfz', inputBytes: read('a.png').length });
  expect(b).toMatchObject({ outputBytes: read('b.cnfz').length });
});

test('without a command files are compressed; -d, -l and -t stand for commands', () => {
  expect(cnfzip('-q', 'a.png')).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip('-l', 'a.cnfz').text).toMatch(/^a\.cnfz: /);
  expect(cnfzip('-t', 'a.cnfz').text).toMatch(/^a\.cnfz: decodes to a\.png/);
  expect(cnfzip('-d', '-o', 'copy.png', 'a.cnfz').status).toBe(0);
  expect(decodePng(read('copy.png'))).toEqual(decodePng(read('a.png')));
});
