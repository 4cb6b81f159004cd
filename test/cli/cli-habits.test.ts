/** What zstd's and gzip's users type. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { progressLine } from '../../src/cli/progress.js';
import { decodePng } from '../../src/index.js';
import { fixture, MAIN } from '../paths.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  copyFileSync(fixture('water-32x32.png'), join(folder, 'a.png'));
  copyFileSync(fixture('gray-tiny-3x5.png'), join(folder, 'b.png'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function cnfzip(args: readonly string[], input: Uint8Array = new Uint8Array(), before: readonly string[] = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...before, MAIN, ...args], { cwd: folder, input });
  return { status, stdout, text: stdout.toString(), stderr: stderr.toString() };
}

/** Runs with streams that say that they are terminals. */
function atTerminal(args: readonly string[], columns: number) {
  const script = `for (const name of ['stdin', 'stdout', 'stderr']) process[name].isTTY = true; process.stderr.columns = ${columns}`;
  return cnfzip(args, undefined, ['--import', `data:text/javascript,${encodeURIComponent(script)}`]);
}

const files = () => readdirSync(folder).sort();
const read = (name: string) => readFileSync(join(folder, name));
const records = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('short options in one word', () => {
  expect(cnfzip(['-qk1', 'a.png'])).toMatchObject({ status: 0, stderr: '' });
  expect(files()).toEqual(['a.cnfz', 'a.png', 'b.png']);
  expect(cnfzip(['-tq', 'a.cnfz'])).toMatchObject({ status: 0, text: '', stderr: '' });
  expect(decodePng(cnfzip(['-dcq', 'a.cnfz']).stdout)).toEqual(decodePng(read('a.png')));
  expect(cnfzip(['-dqfo', 'c.png', 'a.cnfz'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['-dqoe.png', 'a.cnfz'])).toMatchObject({ status: 0, stderr: '' });
  expect(read('e.png')).toEqual(read('c.png'));
  expect(cnfzip(['-zfqT0', 'a.png'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['-f', '-T0', '-d', '-q', '-o', 'c.png', 'a.cnfz'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['-dy', 'a.cnfz'])).toMatchObject({ status: 2, stderr: expect.stringMatching(/unknown option '-dy'/) });
  // What an option is given is no option.
  writeFileSync(join(folder, '-d'), read('a.png'));
  expect(cnfzip(['-q', '-o', '-l', '--', '-d'])).toMatchObject({ status: 0, stderr: '' });
  expect(read('-l')).toEqual(cnfzip(['-qc', 'a.png']).stdout);
});

test('a bare pipe', () => {
  const packed = cnfzip([], read('a.png'));
  expect(packed).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^standard input -> standard output: [\d,]+ -> /),
  });
  const unpacked = cnfzip(['-d'], packed.stdout);
  expect(decodePng(unpacked.stdout)).toEqual(decodePng(read('a.png')));
  for (const args of [['-q'], ['compress', '-q'], ['-qc', '-'], ['-q', '-o', '-'], ['-qo-', 'a.png']]) {
    expect(cnfzip(args, read('a.png'))).toMatchObject({ status: 0, stderr: '', stdout: packed.stdout });
  }
  expect(cnfzip(['-t'], packed.stdout).text).toMatch(/^standard input: decodes, checksums match, /);
  expect(cnfzip(['-t', '-'], read('a.png')).text).toMatch(/^standard input: round trip exact, /);
  expect(cnfzip(['-l', '-'], packed.stdout).text).toMatch(/^standard input: [\d,]+ bytes, /);
  expect(cnfzip([])).toMatchObject({ status: 1, stderr: 'cnfzip: standard input: not an image: it is empty\n' });
  expect(files()).toEqual(['a.png', 'b.png']);
});

test('at a terminal nobody waits for its input', () => {
  expect(atTerminal([], 80)).toMatchObject({ status: 2, stderr: expect.stringMatching(/^Usage: cnfzip/) });
  for (const args of [['compress'], ['-d'], ['-t'], ['-l'], ['likelihood']]) {
    expect(atTerminal(args, 80)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error: missing required argument 'file'/),
    });
  }
});

test('several results do not go to one place, and it is told why', () => {
  mkdirSync(join(folder, 'in'));
  for (const name of ['a.png', 'b.png']) copyFileSync(join(folder, name), join(folder, 'in', name));
  for (const inputs of [
    ['a.png', 'b.png'],
    ['-r', 'in'],
  ]) {
    expect(cnfzip(['-c', ...inputs])).toMatchObject({
      status: 2,
      stdout: Buffer.alloc(0),
      stderr: expect.stringMatching(/^error: --stdout is for one input only: what follows a first image/),
    });
    expect(cnfzip(['-o', 'x', ...inputs])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error: --output is for one input only: a file holds one image/),
    });
  }
  expect(cnfzip(['-o', '-', '--json', 'a.png']).status).toBe(2);
  expect(cnfzip(['-k', '--rm', 'a.png']).status).toBe(2);
  expect(files()).toEqual(['a.png', 'b.png', 'in']);
});

test('folders with -r, also for -l, -t and likelihood', () => {
  mkdirSync(join(folder, 'in/deep'), { recursive: true });
  copyFileSync(fixture('water-32x32.png'), join(folder, 'in/deep/a.png'));
  copyFileSync(join(folder, 'b.png'), join(folder, 'in/b.png'));
  const likely = records(cnfzip(['likelihood', '-r', '--json', '--model', 'fast', 'in/deep']).text);
  expect(likely).toEqual([
    expect.objectContaining({ file: join('in', 'deep', 'a.png'), samples: 3 * 32 * 32, tiles: 1 }),
  ]);
  expect(Number(likely[0].fileBits)).toBeGreaterThan(Number(likely[0].likelihoodBits));
  expect(cnfzip(['-rq', 'in'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['-lr', 'in']).text.match(/^in[^ ]*\.cnfz: /gm)).toHaveLength(2);
  const { text, stderr } = cnfzip(['-tr', 'in']);
  expect(text.match(/^in/gm)).toHaveLength(4);
  expect(stderr).toBe('4 files whole\n');
  expect(records(cnfzip(['-t', '--json', 'in/b.cnfz']).text)).toEqual([
    expect.objectContaining({ file: 'in/b.cnfz', sameAs: 'in/b.png' }),
  ]);
});

test('a file or a folder that is named alone is an input, whatever its name', () => {
  copyFileSync(join(folder, 'a.png'), join(folder, 'photo'));
  copyFileSync(join(folder, 'a.png'), join(folder, 'compress'));
  mkdirSync(join(folder, 'photos'));
  copyFileSync(join(folder, 'a.png'), join(folder, 'photos', 'one.png'));
  expect(cnfzip(['photo', '-q'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['./compress', '-q'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['photos'])).toMatchObject({
    status: 1,
    stderr: 'cnfzip: photos: is a folder (-r takes the files in it)\n',
  });
  expect(cnfzip(['photos', '-rq'])).toMatchObject({ status: 0, stderr: '' });
  expect(files()).toEqual(['a.png', 'b.png', 'compress', 'compress.cnfz', 'photo', 'photo.cnfz', 'photos']);
  expect(cnfzip(['fotos'])).toMatchObject({ status: 2, stderr: expect.stringMatching(/unknown command 'fotos'/) });
});

test('--fast and --best are levels', () => {
  for (const [name, level] of [
    ['--fast', '-1'],
    ['--best', '-9'],
  ]) {
    expect(cnfzip(['-qc', name, 'a.png']).stdout).toEqual(cnfzip(['-qc', level, 'a.png']).stdout);
  }
  expect(cnfzip(['-19', 'a.png'])).toMatchObject({ status: 2, stderr: expect.stringMatching(/name one level/) });
  expect(cnfzip(['--fast', '-2', 'a.png']).status).toBe(2);
});

test('what a file is decides, not its extension', () => {
  writeFileSync(join(folder, 'x.png'), Buffer.from('\xff\x0a--------------', 'latin1'));
  writeFileSync(join(folder, 'x.heic'), Buffer.from('\0\0\0\x18ftypheic----', 'latin1'));
  for (const [name, kind] of [
    ['x.png', 'a JPEG XL'],
    ['x.heic', 'a HEIF'],
  ]) {
    const { status, stderr } = cnfzip([name]);
    expect(stderr).toMatch(`cnfzip: ${name}: is ${kind} file, which is not read; formats are: PNG, Netpbm, `);
    expect(status).toBe(1);
  }
  copyFileSync(join(folder, 'a.png'), join(folder, 'a.jxl'));
  expect(cnfzip(['-q', 'a.jxl']).status).toBe(0);
  expect(files()).toContain('a.jxl.cnfz');
});

test('--json has a record for failures, too', () => {
  const { status, text, stderr } = cnfzip(['--json', 'b.png', 'none.png']);
  expect(records(text)).toEqual([
    expect.objectContaining({ input: 'b.png' }),
    { input: 'none.png', error: { code: 'file', message: 'no such file or folder' } },
  ]);
  expect(stderr).toBe('cnfzip: none.png: no such file or folder\n');
  expect(status).toBe(1);
  const error = { code: 'bad-input', message: expect.stringMatching(/^not a cnfz file/) };
  expect(records(cnfzip(['-l', '--json', 'b.cnfz', 'b.png']).text)[1]).toEqual({ file: 'b.png', error });
});

test('one closing line for several files; -v tells what codes each layer', () => {
  expect(cnfzip(['a.png', 'b.png', 'none.png']).stderr).toMatch(
    /\n2 of 3 files: [\d,]+ -> [\d,]+ bytes \([\d.]+ %\), [\d.]+ s\n$/,
  );
  const lines = cnfzip(['-vf', 'a.png']).stderr.split('\n');
  expect(lines[1]).toMatch(/^ {2}samples: the flow of model default in 1 tile, [\d,]+ bytes$/);
  expect(cnfzip(['-dvf', 'a.cnfz']).stderr.split('\n')[1]).toBe(lines[1]);
});

test('results may go to devices, but then no input is removed', () => {
  expect(cnfzip(['-q', '-o', '/dev/null', 'a.png'])).toMatchObject({ status: 0, stderr: '' });
  expect(cnfzip(['-q', '--rm', '-o', '/dev/null', 'a.png'])).toMatchObject({
    status: 1,
    stderr: 'cnfzip: a.png: it is not removed, as its result is in no file\n',
  });
  expect(files()).toEqual(['a.png', 'b.png']);
});

test('progress at a terminal stays within its width', () => {
  const { stderr } = atTerminal(['-f', 'a.png', 'b.png'], 50);
  const drawn = stderr.split('\r').filter((line) => line.includes('%'));
  expect(drawn.length).toBeGreaterThan(3);
  expect(drawn.join('\n')).toMatch(/^a\.png \[=+\] 100 %, file 1 of 2, [\d:]+ (s|min|h) left/m);
  expect(stderr).toMatch('left\x1b[K\r\x1b[Ka.png -> a.cnfz: ');
  for (const line of drawn) expect(line.split('\x1b')[0].length).toBeLessThan(50);
  expect(atTerminal(['-fq', 'a.png'], 50).stderr).toBe('');
  expect(atTerminal(['-f', '--no-progress', 'a.png'], 50).stderr).not.toMatch(/\r/);
});

test.each([1, 10, 20, 40, 60, 80, 200])('a progress line for %i columns', (columns) => {
  for (const label of ['a.png', 'a/very/long/path/to/a/photograph-with-a-long-name.png', '写真'.repeat(40)]) {
    for (const speed of [undefined, 0.12345]) {
      for (const left of [undefined, 0.2, 75, 7500]) {
        const line = progressLine({ label, fraction: 0.5, file: 12, files: 1234, speed, left }, columns);
        const width = [...line].reduce((sum, character) => sum + (/[写真]/.test(character) ? 2 : 1), 0);
        if (columns > 12) expect(width).toBeLessThan(columns);
        expect(line).toMatch(/50 %/);
      }
    }
  }
  const line = progressLine({ label: 'a.png', fraction: 0.5, file: 2, files: 3, speed: 0.123, left: 75 }, 200);
  expect(line).toBe('a.png [===============               ] 50 %, file 2 of 3, 1:15 min left, 0.12 MP/s');
});

test('completion knows models and experiments', () => {
  const complete = (...words: string[]) => {
    const script = `${cnfzip(['completion', 'bash']).text}
COMP_WORDS=(cnfzip ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _cnfzip
printf '%s\\n' "\${COMPREPLY[@]}"`;
    return spawnSync('bash', ['-c', script], { cwd: folder }).stdout.toString().trim().split('\n');
  };
  expect(complete('compress', '--model', '')).toEqual(['best', 'cifar10', 'default', 'fast', 'gray']);
  expect(complete('--model', 'f')).toEqual(['fast']);
  expect(complete('lab', 'run', 'hut')).toEqual(['hutchinson']);
  expect(complete('lab', 'run', 'hutchinson', 'al')).toEqual(['all']);
  expect(complete('a.png', '--output-d')).toEqual(['--output-dir']);
  expect(complete('-d', '--form')).toEqual(['--format']);
  expect(complete('comp')).toEqual(['compress', 'completion']);
  expect(cnfzip(['completion', 'fish']).text).toMatch(/-l model -r -a 'best cifar10 default fast gray'/);
});
