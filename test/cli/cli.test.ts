import { type StdioOptions, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeContainer } from '../../codec/container/container.js';
import { encodePlain } from '../../codec/layers/plain.js';
import { decodePng, encodePng, type FileInfo, type Image } from '../../src/index.js';
import { beside } from '../beside.js';
import { fixture, MAIN } from '../paths.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  copyFileSync(fixture('water-32x32.png'), join(folder, 'a.png'));
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
  expect(compressed.stderr.split('\n')).toHaveLength(4);
  expect(compressed.stderr).toMatch(/\n2 files: [\d,]+ -> [\d,]+ bytes \([\d.]+ %\), [\d.]+ s\n$/);
  expect(compressed).toMatchObject({ status: 0, text: '' });
  expect(files()).toEqual(['a.cnfz', 'a.png', 'b.cnfz', 'b.png']);

  const lines = cnfzip('info', '--json', 'a.cnfz', 'b.cnfz').text.trim().split('\n');
  const facts = lines.map((line) => JSON.parse(line) as FileInfo & { file: string; model: string });
  expect(facts[0]).toMatchObject({ file: 'a.cnfz', width: 32, height: 32, channels: 3 });
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
  const child = spawn(process.execPath, [MAIN, 'compress', '-1', '-c', fixture('house-253x191.png')], { cwd: folder });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect(stderr).toMatch(/^cnfzip: .*house-253x191\.png: cannot write standard output[^\n]*\n$/);
  expect(status).toBe(1);
}, 30_000);

test('the same bytes with one thread and with two', () => {
  const original = beside(decodePng(readFileSync(fixture('gray-boat-531x60.png'))), 2);
  writeFileSync(join(folder, 'gray.png'), encodePng(original));
  const run = (threads: string) => cnfzip('compress', '-qc1', '-T', threads, 'gray.png').stdout;
  const one = run('1');
  expect(Buffer.compare(one, run('2'))).toBe(0);
  writeFileSync(join(folder, 'gray.cnfz'), one);
  for (const threads of ['1', '2']) {
    expect(decodePng(cnfzip('decompress', '-qc', '-T', threads, 'gray.cnfz').stdout)).toEqual(original);
  }
});

test('a model in a file: its images need it', () => {
  const shipped = fileURLToPath(new URL('../../models/gray.cnfm', import.meta.url));
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

test('verify tells what of an image is not proven, and finds images whose extension is in capitals', async () => {
  await sharp(join(folder, 'a.png')).jpeg().toFile(join(folder, 'c.JPG'));
  expect(cnfzip('verify', 'c.JPG')).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/c\.JPG: warning: the JPEG/),
  });
  expect(cnfzip('verify', '-q', 'c.JPG')).toMatchObject({ status: 0, stderr: '' });
  copyFileSync(join(folder, 'a.png'), join(folder, 'd.PNG'));
  cnfzip('compress', '-q', 'd.PNG');
  expect(cnfzip('verify', 'd.cnfz').text).toMatch(/decodes to d\.PNG/);
  copyFileSync(join(folder, 'b.png'), join(folder, 'd.PNG'));
  expectRefusal(['verify', 'd.cnfz'], /the decoded image differs from d\.PNG/);
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

test('verify --exact refuses a file that no level makes', () => {
  const image = decodePng(read('a.png'));
  const layer = { ...image, maxval: 255 };
  const plain = { method: 'plain' as const, tiles: [{ method: 'plain' as const, stages: [encodePlain(layer)] }] };
  writeFileSync(join(folder, 'a.cnfz'), writeContainer({ ...layer, indexed: false, layers: [plain] }, image.samples));
  expect(cnfzip('verify', 'a.cnfz')).toMatchObject({ status: 0 });
  expectRefusal(['verify', '--exact', 'a.cnfz'], /a\.cnfz: encoding a\.png gives other bytes than this file's/);
});

test('one bad file costs a line and the exit code, not the others', () => {
  const { status, stderr } = cnfzip('compress', 'none.png', 'b.png');
  expect(stderr).toMatch(/^cnfzip: none\.png: no such file or folder\nb\.png -> b\.cnfz/);
  expect(status).toBe(1);
  expect(existsSync(join(folder, 'b.cnfz'))).toBe(true);
});

test('a smaller image, a region, and both; info tells what they need', () => {
  const file = fixture('house-253x191.cnfz');
  const whole = decodePng(readFileSync(fixture('house-253x191.png')));
  const pixel = (image: Image, x: number, y: number) => [
    ...image.samples.subarray(3 * (y * image.width + x)).subarray(0, 3),
  ];
  const run = (...options: string[]) => decodePng(cnfzip('decompress', '-qc', ...options, file).stdout);
  const small = run('--scale', '1/4');
  const part = run('--region', '50x40+100+20');
  const both = run('--region', '50x40+101+20', '--scale', '1/2');
  expect([small, part, both].map(({ width, height }) => [width, height])).toEqual([
    [64, 48],
    [50, 40],
    [25, 20],
  ]);
  expect(pixel(small, 10, 7)).toEqual(pixel(whole, 40, 28));
  expect(pixel(part, 10, 7)).toEqual(pixel(whole, 110, 27));
  expect(pixel(both, 10, 7)).toEqual(pixel(whole, 122, 34));
  expect(small.metadata).toEqual(whole.metadata);
  expect(cnfzip('info', file).text).toMatch(/scale 1\/2: 127 x 96, from the first [\d,]+ bytes, 3\d\.\d % of the file/);
  expect(cnfzip('decompress', '--scale', '1/3', file).status).toBe(2);
  expect(cnfzip('decompress', '--region', '5x5', file).status).toBe(2);
  expectRefusal(
    ['decompress', '--region', '9x9+250+0', '-o', 'x.png', file],
    /region 9x9\+250\+0 does not lie in the image/,
  );
  copyFileSync(file, join(folder, 'h.cnfz'));
  expect(cnfzip('decompress', '-q', '--rm', '--scale', '1/2', 'h.cnfz').stderr).toMatch(/not removed.*only in part/);
  expect(files()).toContain('h.cnfz');
});

test('--partial: of a file that is cut short or damaged what is whole, with a warning and exit code 1', () => {
  const file = readFileSync(fixture('house-253x191.cnfz'));
  const whole = decodePng(readFileSync(fixture('house-253x191.png')));
  writeFileSync(join(folder, 'cut.cnfz'), file.subarray(0, 30_000));
  expectRefusal(['decompress', 'cut.cnfz'], /cut short/);
  const { status, stderr } = cnfzip('decompress', '-q', '--partial', 'cut.cnfz');
  expect([status, stderr]).toEqual([
    1,
    'cnfzip: cut.cnfz: warning: it is cut short or damaged: only scale 1/2 of 253 x 191 pixels is whole\n',
  ]);
  expect(decodePng(read('cut.png'))).toMatchObject({ width: 127, height: 96 });
  const damaged = Buffer.from(file);
  damaged[10_000] ^= 1;
  writeFileSync(join(folder, 'bad.cnfz'), damaged);
  expect(cnfzip('decompress', '-q', '--partial', 'bad.cnfz')).toMatchObject({ status: 1 });
  expect(decodePng(read('bad.png'))).toMatchObject({ width: 64, height: 48 });
  writeFileSync(join(folder, 'short.cnfz'), file.subarray(0, 3000));
  expectRefusal(['decompress', '--partial', 'short.cnfz'], /cut short: not even the smallest image of it is whole/);
  writeFileSync(join(folder, 'good.cnfz'), file);
  expect(cnfzip('decompress', '-q', '--partial', 'good.cnfz')).toMatchObject({ status: 0, stderr: '' });
  expect(decodePng(read('good.png'))).toEqual(whole);
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
  expectRefusal(['decompress', 'flipped.cnfz'], /flipped\.cnfz: damaged: the checksum of the file/);
  expectRefusal(['decompress', '-c', 'flipped.cnfz'], /damaged/);
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
  [['shrink'], /unknown command 'shrink'/],
  [['compress', '--faster', 'a.png'], /unknown option '--faster'/],
  [['compress', '-T', '257', 'a.png'], /must be an integer from 0 to 256/],
  [['compress', '-o', 'x', 'a.png', 'b.png'], /--output is for one input only/],
  [['compress', '-c', '-o', 'x', 'a.png'], /cannot be used with/],
  [['compress', '--rm', '--no-verify', 'a.png'], /'--no-verify' cannot be used with option '--rm'/],
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
    expectRefusal([command, '--max-pixels', '1000', 'a.png'], /a\.png: 32 x 32 pixels are more than the limit of 1000/);
  }
  expectRefusal(['compress', '--max-memory', '9M', 'a.png'], /about \d+ MB of memory, more than the limit of 10 MB/);
  expect(cnfzip('compress', '--max-pixels', 'many', 'a.png').status).toBe(2);
  for (const command of [['info'], ['verify'], ['decompress', '-o', 'new.png']]) {
    const file = fixture('kodim23.cnfz');
    expectRefusal([...command, '--max-pixels', '1K', file], /more than the limit of 1024/);
    expectRefusal([...command, '--max-memory', '9M', file], /of memory, more than the limit of 10 MB/);
  }
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

test('--rm is ignored where the result goes to standard output', () => {
  const before = files();
  const { status, stdout, stderr } = cnfzip('compress', '-1', '-c', '--rm', 'b.png');
  expect(stderr).toMatch(
    /^cnfzip: --rm is ignored where standard input or output is used\nb\.png -> standard output: /,
  );
  expect(status).toBe(0);
  expect(files()).toEqual(before);
  writeFileSync(join(folder, 'b.cnfz'), stdout);
  expect(cnfzip('decompress', '-q', '-c', '--rm', 'b.cnfz')).toMatchObject({ status: 0, stderr: '' });
  expect(files()).toEqual([...before, 'b.cnfz'].sort());
});

test('--rm keeps what the result does not hold all of, also under -q', async () => {
  const { width, height, channels, samples } = decodePng(read('a.png'));
  const source = sharp(samples, { raw: { width, height, channels } });
  await source.clone().jpeg().toFile(join(folder, 'j.jpg'));
  writeFileSync(join(folder, 't.png'), Buffer.concat([read('b.png'), Buffer.from('more')]));
  const { status, stderr } = cnfzip('compress', '-q', '-1', '--rm', 'j.jpg', 't.png');
  const kept = (name: string, why: string) =>
    `cnfzip: ${name}: it is not removed, as its result does not hold all of it: [^\n]*${why}[^\n]*\n`;
  expect(stderr).toMatch(new RegExp(`^${kept('j.jpg', 'JPEG itself is smaller')}${kept('t.png', '4 bytes behind')}$`));
  expect(status).toBe(1);
  expect(files()).toEqual(['a.png', 'b.png', 'j.cnfz', 'j.jpg', 't.cnfz', 't.png']);
  const webp = cnfzip('decompress', '-q', '--rm', 't.cnfz', '-o', 't.webp');
  expect(webp).toMatchObject({ status: 0, stderr: '' });
  expect(existsSync(join(folder, 't.cnfz'))).toBe(false);
});

/** Runs the command line after JavaScript that may change what `fs` does. */
function cnfzipAfter(code: string, args: string[], stdout: 'pipe' | number = 'pipe') {
  const script = `import fs from 'node:fs'; ${code}; (await import('node:module')).syncBuiltinESMExports();`;
  const words = ['--import', `data:text/javascript,${encodeURIComponent(script)}`, MAIN, ...args];
  const { status, stderr } = spawnSync(process.execPath, words, { cwd: folder, stdio: ['ignore', stdout, 'pipe'] });
  return { status, stderr: stderr.toString() };
}

test('--rm keeps what was changed while it was read', () => {
  // Changed at the last moment: when the result gets its name.
  const change = `const { link } = fs.promises;
    fs.promises.link = (...paths) => { fs.appendFileSync('b.png', '!'); return link(...paths); }`;
  const why = 'cnfzip: b.png: it is not removed: it was changed while it was read\n';
  expect(cnfzipAfter(change, ['compress', '-q', '--rm', 'b.png'])).toEqual({ status: 1, stderr: why });
  expect(files()).toEqual(['a.png', 'b.cnfz', 'b.png']);
});

test('standard output that is a file is written whole, or it is told', () => {
  const output = openSync(join(folder, 'out'), 'w');
  const short =
    'const { writeSync } = fs; fs.writeSync = (fd, bytes, at) => writeSync(fd, bytes, at, Math.min(7, bytes.length - at))';
  expect(cnfzipAfter(short, ['compress', '-q', '-1', '-c', 'b.png'], output)).toEqual({ status: 0, stderr: '' });
  closeSync(output);
  expect(cnfzip('compress', '-q', '-1', 'b.png').status).toBe(0);
  expect(read('out')).toEqual(read('b.cnfz'));
});

test('what nobody foresaw: one line, exit 1; where it happened with -v', () => {
  const broken = "fs.promises.readdir = () => new Promise(() => setTimeout(() => { throw new Error('unheard-of') }))";
  const line = 'cnfzip: internal error: unheard-of\n';
  expect(cnfzipAfter(broken, ['compress', '-1', 'b.png'])).toEqual({ status: 1, stderr: line });
  expect(cnfzipAfter(broken, ['compress', '-1', '-v', 'b.png']).stderr).toMatch(
    /^cnfzip: [^\n]*\nError: unheard-of\n +at /,
  );
});

test('the input is never replaced by its own result, whatever its name', () => {
  linkSync(join(folder, 'b.png'), join(folder, 'hard.cnfz'));
  symlinkSync('b.png', join(folder, 'soft.cnfz'));
  const original = read('b.png');
  for (const target of ['b.png', './b.png', 'hard.cnfz', 'soft.cnfz']) {
    expectRefusal(
      ['compress', '--rm', '-f', 'b.png', '-o', target],
      /b\.png: cannot write .*: it is the input itself$/m,
    );
  }
  const input = openSync(join(folder, 'b.png'), 'r');
  const output = openSync(join(folder, 'b.png'), 'a');
  const run = (args: string[], stdio: (number | 'pipe')[]) =>
    spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, stdio }).stderr.toString();
  const redirected = run(['compress', '-', '-f', '-o', 'b.png'], [input, 'pipe', 'pipe']);
  expect(redirected).toBe('cnfzip: standard input: cannot write b.png: it is the input itself\n');
  const appended = run(['compress', '-c', 'b.png'], [input, output, 'pipe']);
  expect(appended).toBe('cnfzip: b.png: cannot write standard output: it is the input itself\n');
  closeSync(input);
  closeSync(output);
  expect(read('b.png')).toEqual(original);
});

test('results of one run do not replace each other through links', () => {
  for (const name of ['a.cnfz', 'b.cnfz']) symlinkSync('one', join(folder, name));
  const { status, stderr } = cnfzip('compress', '-q', '-1', '-f', '--rm', 'a.png', 'b.png');
  expect(stderr).toBe('cnfzip: b.png: its result would replace that of a.png: name it with -o\n');
  expect(status).toBe(1);
  expect(files()).toEqual(['a.cnfz', 'b.cnfz', 'b.png', 'one']);
});

test('results have the mode and the time of what they are made from', () => {
  const facts = (name: string) => {
    const { mode, mtimeMs } = statSync(join(folder, name));
    return { mode: mode & 0o7777, mtimeMs };
  };
  const original = { mode: 0o600, mtimeMs: 1e12 };
  chmodSync(join(folder, 'b.png'), original.mode);
  utimesSync(join(folder, 'b.png'), 1e9, 1e9);
  expect(cnfzip('compress', '-q', 'b.png').status).toBe(0);
  expect(cnfzip('decompress', '-q', '-o', 'c.png', 'b.cnfz').status).toBe(0);
  expect([facts('b.cnfz'), facts('c.png')]).toEqual([original, original]);
});

test('folders are searched past fifos and links to nothing', () => {
  mkdirSync(join(folder, 'in'));
  copyFileSync(fixture('tiny-5x3.png'), join(folder, 'in', 'one.png'));
  symlinkSync('nothing', join(folder, 'in', 'two.png'));
  spawnSync('mkfifo', [join(folder, 'in', 'three.png')]);
  expect(cnfzip('compress', '-q', '-1', '-r', 'in')).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip('verify', 'in').text).toMatch(/^in\/one\.cnfz: [^\n]+\nin\/one\.png: [^\n]+\n$/);
  rmSync(join(folder, 'in', 'one.png'));
  spawnSync('mkfifo', [join(folder, 'in', 'one.png')]);
  expect(cnfzip('verify', 'in').text).toMatch(/^in\/one\.cnfz: decodes, checksums match[^\n]+\n$/);
});

// Programs that throw the output of another away open the null device for reading and writing, or for writing only.
test.runIf(existsSync('/dev/null'))('the null device takes what is asked for', () => {
  for (const flags of ['r+', 'w']) {
    const stdio: StdioOptions = ['ignore', openSync('/dev/null', flags), 'pipe'];
    const { status, stderr } = spawnSync(process.execPath, [MAIN, '-qc', 'b.png'], { cwd: folder, stdio });
    expect([status, stderr.toString()]).toEqual([0, '']);
  }
});

test.runIf(existsSync('/dev/full'))('a full device: one line, exit 1, no stack trace', () => {
  expect(cnfzip('compress', '-q', '-1', 'b.png').status).toBe(0);
  const full = openSync('/dev/full', 'w');
  const why = 'cannot write standard output: no space left on the device\n';
  for (const [args, line] of [
    [['compress', '-1', '-c', 'b.png'], `cnfzip: b.png: ${why}`],
    [['decompress', '-c', 'b.cnfz'], `cnfzip: b.cnfz: ${why}`],
    [['info', 'b.cnfz'], `cnfzip: b.cnfz: ${why}`],
    [['--help'], `cnfzip: ${why}`],
    [['compress', '-fq1', '--json', '--rm', 'b.png'], `cnfzip: b.png: ${why}`],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
      cwd: folder,
      stdio: ['ignore', full, 'pipe'],
    });
    expect(stderr.toString(), args.join(' ')).toBe(line);
    expect(status).toBe(1);
  }
  closeSync(full);
  expect(files()).toEqual(['a.png', 'b.cnfz', 'b.png']);
});

test('too few files may be open: one line, exit 1', () => {
  // How many Node itself needs depends on its version: all are taken where the first file is opened.
  const preload = join(folder, 'take-all.mjs');
  writeFileSync(
    preload,
    `import fs from 'node:fs';
     import { syncBuiltinESMExports } from 'node:module';
     const { open } = fs.promises;
     fs.promises.open = (...args) => {
       try {
         for (;;) fs.openSync('/dev/null');
       } catch {}
       return open(...args);
     };
     syncBuiltinESMExports();`,
  );
  const words = ['--import', preload, MAIN, 'compress', '-qc1', 'b.png'];
  const script = 'ulimit -n 64 && exec "$0" "$@"';
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, ...words], { cwd: folder });
  expect(stderr.toString()).toMatch(/^cnfzip: (b\.png: )?[^\n]*too many open files[^\n]*\n$/);
  expect(status).toBe(1);
  expect(stdout).toHaveLength(0);
});

test('control characters in names are spelled out for people, and kept for programs', () => {
  const name = 'e\x1b[31m\n\u202e\x9b.png';
  copyFileSync(fixture('gray-tiny-3x5.png'), join(folder, name));
  const spelled = String.raw`e\x1b[31m\n\u202e\x9b`;
  expect(cnfzip('compress', '-q', name, '-o', 'none/x').stderr).toMatch(
    `cnfzip: ${spelled}.png: cannot write none/x: `,
  );
  expect(cnfzip('compress', '-1', name).stderr).toMatch(`${spelled}.png -> ${spelled}.cnfz: `);
  expect(cnfzip('info', name.replace('png', 'cnfz')).text).toMatch(`${spelled}.cnfz: `);
  expect(cnfzip('info', '--\x1b[31m').stderr).toMatch(String.raw`unknown option '--\x1b[31m'`);
  const [facts] = cnfzip('compress', '-qf1', '--json', name).text.split('\n');
  expect(JSON.parse(facts)).toMatchObject({ input: name, output: name.replace('png', 'cnfz') });
});

test('levels stand for models and for learning; two of them, or a level and a model, are refused', () => {
  // Of a smaller one WebP's would be shorter than some.
  copyFileSync(fixture('red-door-128x96.png'), join(folder, 'a.png'));
  const LEVELS: [options: string[], flow: string, learning?: string][] = [
    [['-1'], 'fast'],
    [['-2'], 'fast', 'heads'],
    [[], 'default', 'heads'],
    [['--learning', 'none'], 'default'],
    [['-9', '--learning', 'none'], 'best'],
    [['-5'], 'default', 'sparse'],
    [['-6'], 'default', 'blocks'],
  ];
  const names = LEVELS.map(([options]) => `${options.join('')}.cnfz`.replace(/^-*/, 'level'));
  for (const [i, [options]] of LEVELS.entries()) {
    expect(cnfzip('compress', '-q', ...options, '-o', names[i], 'a.png').status).toBe(0);
  }
  // A file of any of them is what encoding gives again, so.
  for (const name of [names[0], names[4]]) {
    copyFileSync(join(folder, name), join(folder, 'a.cnfz'));
    expect(cnfzip('verify', '--exact', 'a.cnfz').text).toMatch(
      /^a\.cnfz: decodes to a\.png and is encoded byte for byte/,
    );
  }
  const told = cnfzip('info', ...names).text.matchAll(/model (\w+) \(\w+\)(?:, learning (\w+))?/g);
  expect([...told].map(([, ...flow]) => flow)).toEqual(LEVELS.map(([, flow, learning]) => [flow, learning]));
  copyFileSync(join(folder, names[6]), join(folder, 'a.cnfz'));
  for (const name of names) rmSync(join(folder, name));
  expect(cnfzip('-t', 'a.cnfz')).toMatchObject({ status: 0 });
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

/** Who may read nothing that is not for all. */
const NOBODY = { uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;
const canBeNobody = isRoot && spawnSync(process.execPath, [MAIN, '--version'], NOBODY).status === 0;

test.runIf(canBeNobody)('a folder below that cannot be read costs a line, not the files beside it', () => {
  mkdirSync(join(folder, 'in/closed'), { recursive: true });
  copyFileSync(fixture('gray-tiny-3x5.png'), join(folder, 'in/a.png'));
  chmodSync(join(folder, 'in/closed'), 0o700);
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'out'));
  chmodSync(join(folder, 'out'), 0o777);
  const args = [MAIN, 'compress', '-r', 'in', '--output-dir', 'out'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, ...NOBODY });
  expect(stderr.toString()).toMatch(/^cnfzip: in[/\\]closed: permission denied\nin[/\\]a\.png -> out[/\\]a\.cnfz: /);
  expect(status).toBe(1);
  expect(readdirSync(join(folder, 'out'))).toEqual(['a.cnfz']);
});
