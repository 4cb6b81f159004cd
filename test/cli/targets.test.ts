/** Where results go, and what is never replaced by one. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { crc32 } from '../../codec/container/crc32.js';
import { decodePng } from '../../src/index.js';
import { readTar } from '../../src/io/tar.js';
import { fixture, MAIN } from '../paths.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-targets-'));
  copyFileSync(fixture('water-32x32.png'), join(folder, 'a.png'));
  mkdirSync(join(folder, 'in'));
  copyFileSync(fixture('water-32x32.png'), join(folder, 'in', 'a.png'));
  copyFileSync(fixture('gray-tiny-3x5.png'), join(folder, 'in', 'b.png'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function cnfzip(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder });
  return { status, stdout, stderr: stderr.toString() };
}

/** Runs a line of bash in which `cnfzip` is the command. */
function bash(line: string) {
  const script = `cnfzip() { '${process.execPath}' '${MAIN}' "$@"; }; ${line}`;
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', script], { cwd: folder });
  return { status, stdout, stderr: stderr.toString() };
}

const files = () => readdirSync(folder).sort();
const read = (name: string) => readFileSync(join(folder, name));

/** The input stays as it is, byte for byte, whatever name the result is given. */
function expectKept(input: string, args: (output: string) => string[]): void {
  const before = read(input);
  linkSync(join(folder, input), join(folder, 'hard'));
  symlinkSync(input, join(folder, 'soft'));
  for (const output of [input, 'hard', 'soft']) {
    const { status, stderr } = cnfzip(...args(output));
    expect(stderr, args(output).join(' ')).toMatch(`cannot write ${output}: it is the input itself\n`);
    expect(status).toBe(1);
    expect(read(input)).toEqual(before);
  }
  for (const name of ['hard', 'soft']) rmSync(join(folder, name));
}

test('an archive does not replace what it is made of, nor an image its archive', () => {
  expect(cnfzip('archive', 'create', 'in', '-o', 'set.cnfa', '-1q').status).toBe(0);
  expectKept('set.cnfa', (output) => ['archive', 'extract', '-f', 'set.cnfa', 'a.png', '-o', output]);
  expectKept('in/a.png', (output) => ['archive', 'create', '-1', '-f', 'in', '-o', output]);
  expect(cnfzip('archive', 'extract', 'set.cnfa', '-qo', 'set.tar').status).toBe(0);
  expectKept('set.tar', (output) => ['archive', 'create', '-1', '-f', 'set.tar', '-o', output]);
  copyFileSync(join(folder, 'set.cnfa'), join(folder, 'c.tar'));
  expect(cnfzip('archive', 'extract', '-f', 'c.tar', '-o', 'c.tar')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/cannot write c\.tar: it is the input itself/),
  });
  expect(read('c.tar')).toEqual(read('set.cnfa'));
  // By the folder that it is extracted to, too.
  copyFileSync(join(folder, 'set.cnfa'), join(folder, 'a.png'));
  expect(cnfzip('archive', 'extract', '-f', 'a.png', '--output-dir', '.')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/cannot write a\.png: it is the input itself/),
  });
  expect(read('a.png')).toEqual(read('set.cnfa'));
}, 60_000);

test('nor a thumbnail its image', () => {
  expect(cnfzip('-1q', 'a.png').status).toBe(0);
  expectKept('a.cnfz', (output) => ['desktop', 'thumbnail', 'a.cnfz', output]);
});

test('nor a flow its table', () => {
  const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${(i * i) % 11}`);
  writeFileSync(join(folder, 'd.csv'), `${rows.join('\n')}\n`);
  const quick = ['--steps', '5', '--hidden', '4'];
  expectKept('d.csv', (output) => ['flow', 'fit', '-f', 'd.csv', ...quick, '-o', output]);
  expect(cnfzip('flow', 'fit', 'd.csv', ...quick, '-qo', 'd.cnff').status).toBe(0);
  for (const input of ['d.csv', 'd.cnff']) {
    expectKept(input, (output) => ['flow', 'encode', '-f', 'd.cnff', 'd.csv', '-o', output]);
  }
  const coded = cnfzip('flow', 'encode', 'd.cnff', 'd.csv', '-o', '-');
  expect(coded).toMatchObject({ status: 0, stderr: expect.stringMatching(/^d\.csv -> standard output: 60 rows/) });
  writeFileSync(join(folder, 'd.cnfd'), coded.stdout);
  for (const input of ['d.cnfd', 'd.cnff']) {
    expectKept(input, (output) => ['flow', 'decode', '-f', 'd.cnff', 'd.cnfd', '-o', output]);
  }
  expect(cnfzip('flow', 'decode', 'd.cnff', 'd.cnfd', '-o', 'again.csv').status).toBe(0);
  const decoded = cnfzip('flow', 'decode', 'd.cnff', 'd.cnfd', '-o', '-');
  expect(decoded.stdout.equals(read('again.csv'))).toBe(true);
  expect(decoded.stdout.toString()).toMatch(/0,0\n1,1\n2,4\n/);
  expect(cnfzip('flow', 'fit', 'd.csv', ...quick, '-qo', '-').stdout.equals(read('d.cnff'))).toBe(true);
  // Of a folder no image.
  expectKept('in/a.png', (output) => ['flow', 'fit', '-f', 'in', '--patch', '2', ...quick, '-o', output]);
  expect(files()).not.toContain('-');
}, 120_000);

test('archives and their images go to standard output', async () => {
  const made = cnfzip('archive', 'create', 'in', '-1', '-o', '-');
  expect(made).toMatchObject({ status: 0, stderr: expect.stringMatching(/^in -> standard output: 2 images/) });
  expect(cnfzip('archive', 'create', 'in', '-1', '-qo', 'set.cnfa').status).toBe(0);
  expect(made.stdout).toEqual(read('set.cnfa'));
  const one = cnfzip('archive', 'extract', 'set.cnfa', 'a.png', '-o', '-');
  expect(one).toMatchObject({ status: 0, stderr: '1 image extracted\n' });
  expect(decodePng(one.stdout)).toEqual(decodePng(read('a.png')));
  expect(cnfzip('archive', 'extract', 'set.cnfa', '-o', '-').status).toBe(2);
  expect(files()).toEqual(['a.png', 'in', 'set.cnfa']);
  expect(cnfzip('archive', 'extract', 'set.cnfa', '-qo', 'set.tar').status).toBe(0);
  const names: string[] = [];
  for await (const { name } of readTar([read('set.tar')])) names.push(name);
  expect(names.sort()).toEqual(['a.png', 'b.png']);
}, 60_000);

test('no JSON is mixed with a result, whichever way that goes to standard output', () => {
  const refused = { status: 2, stderr: expect.stringMatching(/^error: --json would mix with the result/) };
  for (const line of [
    'cnfzip --json < a.png | cat',
    'cnfzip --json - < a.png > x',
    'cnfzip --json --output-dir out - < a.png > x',
    'cnfzip --json -o /dev/stdout a.png | cat',
    'cnfzip --json -f -o /dev/stdout a.png > x',
    'cnfzip --json -f -o /dev/fd/1 a.png | cat',
  ]) {
    const result = bash(line);
    expect(result, line).toMatchObject(refused);
    expect(result.stdout).toHaveLength(0);
  }
  expect(bash('cnfzip --json -o y - < a.png').stdout.toString()).toMatch(/^\{"input":"-","output":"y",.*\}\n$/);
  expect(bash('cnfzip --json -o /dev/null a.png').stdout.toString()).toMatch(/^\{"input":"a.png",.*\}\n$/);
  expect(bash('cnfzip --json -o /dev/null a.png > /dev/null').status).toBe(0);
});

test('what is no regular file is written to as it is, with -f, too', () => {
  const packed = cnfzip('-qc', 'a.png').stdout;
  for (const line of [
    'cnfzip -qf -o /dev/stdout a.png | cat',
    'cnfzip -q -o /dev/stdout a.png | cat',
    'cnfzip -qf -o >(cat > x) a.png && sleep 0.3 && cat x',
    'cnfzip -qf -o /dev/stdout a.png > y && cat y',
    'mkfifo z; cat z & cnfzip -qf -o z a.png; wait',
  ]) {
    expect(bash(line), line).toEqual({ status: 0, stderr: '', stdout: packed });
  }
});

test('an option without a value, as of a variable that is not set, is no option left out', () => {
  cnfzip('-1q', 'a.png');
  for (const args of [
    ['--rm', '-o', '', 'a.png'],
    ['--rm', '--output-dir', '', 'a.png'],
    ['-d', '-o', '', 'a.cnfz'],
    ['--output=', 'a.png'],
    ['--model', '', 'a.png'],
    ['bulk', 'compress', 'in', '--to', ''],
    ['bulk', 'verify', 'in', '--from', ''],
    ['archive', 'create', 'in', '-o', ''],
    ['archive', 'extract', 'x.cnfa', '--output-dir', ''],
    ['archive', 'verify', 'x.cnfa', '--from', ''],
    ['flow', 'fit', 'd.csv', '-o', ''],
    ['train', '--data', 'in', '--out', ''],
  ]) {
    expect(cnfzip(...args), args.join(' ')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error: option '.*' is given nothing/),
    });
  }
  expect(files()).toEqual(['a.cnfz', 'a.png', 'in']);
}, 30_000);

test('levels are accepted and mean nothing where nothing is compressed', () => {
  cnfzip('-1q', 'a.png');
  expect(cnfzip('-dfq1', 'a.cnfz')).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip('decompress', '-fq', '-9', 'a.cnfz')).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip('-tq', '-5', 'a.cnfz')).toMatchObject({ status: 0, stderr: '' });
});

test('what only --strip has left out is told as that, and is a failure', () => {
  copyFileSync(fixture('water-32x32.png'), join(folder, 'm.png'));
  const png = read('m.png');
  // A text chunk behind the header, of 25 bytes.
  const chunk = Buffer.from('0000000874455874410068656c6c6f21', 'hex');
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(chunk.subarray(4)));
  writeFileSync(join(folder, 'm.png'), Buffer.concat([png.subarray(0, 33), chunk, crc, png.subarray(33)]));
  expect(cnfzip('-1q', '--strip', 'm.png').status).toBe(0);
  expect(cnfzip('-t', 'm.cnfz')).toMatchObject({
    status: 1,
    stderr: 'cnfzip: m.cnfz: all samples are those of m.png, but the metadata are others (--strip leaves them out)\n',
  });
  mkdirSync(join(folder, 'one'));
  copyFileSync(join(folder, 'm.png'), join(folder, 'one', 'm.png'));
  expect(cnfzip('archive', 'create', 'one', '-1q', '--strip', '-o', 'set.cnfa').status).toBe(0);
  const verify = ['archive', 'verify', 'set.cnfa', '--from', 'one'];
  expect(cnfzip(...verify)).toMatchObject({
    status: 1,
    stderr: `cnfzip: m.png: all samples are those of ${join('one', 'm.png')}, but the metadata are others (--strip leaves them out)\n`,
  });
  expect(cnfzip(...verify, '--strip').status).toBe(0);
  // Other samples are another image.
  copyFileSync(fixture('red-door-128x96.png'), join(folder, 'm.png'));
  copyFileSync(fixture('red-door-128x96.png'), join(folder, 'one', 'm.png'));
  expect(cnfzip('-t', 'm.cnfz').stderr).toBe('cnfzip: m.cnfz: the decoded image differs from m.png\n');
  expect(cnfzip(...verify).stderr).toMatch(/the image in the archive differs from/);
}, 30_000);
