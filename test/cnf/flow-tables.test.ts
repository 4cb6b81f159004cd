import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crc32 } from '../../codec/container/crc32.js';
import type { Channels, Image } from '../../codec/image.js';
import { logDensities } from '../../src/cnf/base.js';
import { type FlowSpec, loadFlow, makeFlow, saveFlow } from '../../src/cnf/stored.js';
import { decodePng, encodePng } from '../../src/io/png.js';
import { decodeTable, encodeTable } from '../../src/tables/coded.js';
import { columnsOf } from '../../src/tables/columns.js';
import { sampleTable, scoreTable } from '../../src/tables/flow.js';
import { imageTable, type NamedImage, type PatchShape, shapeOfColumns } from '../../src/tables/images.js';
import { formatTable, parseTable, type Table } from '../../src/tables/table.js';
import { loadWasmBackend } from '../../src/train/backend.js';
import { Random } from '../../src/train/random.js';
import { MAIN } from '../paths.js';

beforeAll(async () => {
  await loadWasmBackend();
});

/** Three columns of unlike scales: one decimal, integers of a million, and two values. */
function unlike(rows: number, random: Random): Table {
  const integers = Int32Array.from({ length: 3 * rows }, (_, i) => {
    const draws = [Math.round(40 * random.normal()), 5_000_000 + Math.round(1e6 * random.normal()), random.below(2)];
    return draws[i % 3];
  });
  return { names: ['a', 'b', 'c'], decimals: [1, 0, 0], rows, integers };
}

function untrained(table: Table, kind: 'free' | 'split', base: FlowSpec['base'] = { kind: 'normal' }) {
  const solver = kind === 'free' ? ({ name: 'rk4', steps: 4 } as const) : ({ name: 'splitting', steps: 3 } as const);
  const field = { kind, dimension: table.names.length, hidden: [8] };
  return makeFlow({ field, base, solver, columns: columnsOf(table) }, new Random(3));
}

describe('tables', () => {
  test('what is written is read again, whatever its digits', () => {
    const random = new Random(1);
    for (let trial = 0; trial < 200; trial++) {
      const width = 1 + random.below(4);
      const rows = 1 + random.below(5);
      const decimals = Array.from({ length: width }, () => random.below(10));
      const integers = Int32Array.from({ length: rows * width }, () => random.word() >> random.below(32));
      const table: Table = { names: decimals.map((_, i) => `c${i}`), decimals, rows, integers };
      expect(parseTable(formatTable(table), { decimals, rounds: false })).toEqual(table);
    }
  });

  test('separators, names, exponents, blank lines and a byte order mark', () => {
    const expected = { names: ['x1', 'x2'], decimals: [1, 0], rows: 2, integers: Int32Array.of(15, -2, 0, 300) };
    for (const text of [
      '1.50,-2\n-0.0,3e2',
      '\uFEFF1.5; -2\r\n\r\n0;300\n',
      '1.5\t-2.\n.0\t+300',
      ' 15e-1  -2\n0 300',
    ]) {
      expect(parseTable(text, { rounds: false })).toEqual(expected);
    }
    expect(parseTable('n m\n1 2', { rounds: false }).names).toEqual(['n', 'm']);
  });

  test('values with more digits than there is room for are rounded or refused', () => {
    const text = '0.123456789012\n1234.5';
    const { decimals, integers } = parseTable(text, { rounds: true });
    expect(decimals).toEqual([6]);
    expect([...integers]).toEqual([123_457, 1_234_500_000]);
    expect(() => parseTable(text, { rounds: false })).toThrow(
      'line 1, column 1: 0.123456789012 does not fit in 32 bits',
    );
  });

  test.each([
    ['', 'nothing in it'],
    ['a,b', 'no rows of numbers'],
    ['1,2\n3', 'line 2 has 1 values where the first has 2'],
    ['a,b\n1,x', "line 2, column 2: 'x' is no number"],
    ['1,2\n3,', "line 2, column 2: '' is no number"],
    ['1e99,2', 'does not fit in 32 bits'],
    ['1\nInfinity', "'Infinity' is no number"],
  ])('%j is told', (text, reason) => {
    expect(() => parseTable(text, { rounds: false })).toThrow(reason);
  });
});

describe('images as tables', () => {
  const random = new Random(9);
  const image = (width: number, height: number, channels: Channels): Image => ({
    width,
    height,
    channels,
    samples: Uint8Array.from({ length: width * height * channels }, () => random.below(256)),
  });

  test('patches are the samples of their places, and their shape is in the names', () => {
    for (let trial = 0; trial < 20; trial++) {
      const channels = (1 + random.below(4)) as Channels;
      const [one, other] = [0, 1].map(() => image(3 + random.below(9), 3 + random.below(9), channels));
      const side = 1 + random.below(3);
      const { names, integers, rows } = imageTable([named('a', one), named('b', other)], side);
      expect(shapeOfColumns(names)).toEqual({ height: side, width: side, channels });
      let row = 0;
      for (const { width, height, samples } of [one, other]) {
        for (let top = 0; top + side <= height; top += side) {
          for (let left = 0; left + side <= width; left += side, row++) {
            const [y, x, c] = [random.below(side), random.below(side), random.below(channels)];
            const column = names.indexOf(`y${y}x${x}c${c}`);
            expect(integers[row * names.length + column]).toBe(samples[((top + y) * width + left + x) * channels + c]);
          }
        }
      }
      expect(rows).toBe(row);
      expect(integers).toHaveLength(row * names.length);
    }
    const whole = [image(5, 4, 3), image(5, 4, 3)];
    expect(imageTable(whole.map((own) => named('a', own))).integers.subarray(60)).toEqual(
      Int32Array.from(whole[1].samples),
    );
    for (const names of [['x', 'y'], ['y0x0c0', 'y0x2c0'], ['y99999999x0c0']])
      expect(shapeOfColumns(names)).toBe(undefined);
  });

  test('what does not fit is told', () => {
    const gray = named('g.png', image(4, 4, 1));
    const cases: [NamedImage[], PatchShape | number | undefined, string][] = [
      [[], 2, 'there is no PNG file in it'],
      [[gray, named('c.png', image(4, 4, 3))], 2, 'c.png has 3 channels where a row has 1'],
      [[gray, named('w.png', image(5, 4, 1))], undefined, 'w.png is 5 x 4 where the first is 4 x 4'],
      [[gray], 5, 'g.png is 4 x 4, less than a patch of 5 x 5'],
      [[named('p.png', { ...gray.image, palette: new Uint8Array(768) })], 2, 'p.png has a palette'],
      [[named('l.png', image(65, 64, 1))], undefined, 'a row would have 4160 samples'],
    ];
    for (const [images, patch, message] of cases) expect(() => imageTable(images, patch)).toThrow(message);
  });

  function named(name: string, own: Image): NamedImage {
    return { name, image: own };
  }
});

describe('stored flows', () => {
  test.each(['free', 'split'] as const)('%s: what is saved is loaded, to the last bit', (kind) => {
    const table = unlike(50, new Random(2));
    const made = untrained(table, kind);
    const bytes = saveFlow(made);
    const loaded = loadFlow(bytes);
    expect(saveFlow(loaded)).toEqual(bytes);
    expect(loaded.spec).toEqual(made.spec);
    expect(scoreTable(loaded, table)).toEqual(scoreTable(made, table));
    expect(sampleTable(loaded, 5, new Random(1))).toEqual(sampleTable(made, 5, new Random(1)));
  });

  test.each<FlowSpec['base']>([
    { kind: 'learned' },
    { kind: 'mixture', components: 5 },
    { kind: 'student', freedom: 2 },
  ])('a base of its own is in the file: $kind', (base) => {
    const table = unlike(50, new Random(2));
    const made = untrained(table, 'free', base);
    for (const variable of made.weights.variables) tf.tidy(() => variable.assign(tf.add(variable, 0.1)));
    const bytes = saveFlow(made);
    expect(saveFlow(loadFlow(bytes))).toEqual(bytes);
    expect(scoreTable(loadFlow(bytes), table)).toEqual(scoreTable(made, table));
  });

  test('a score is the log-density in the units of the columns', () => {
    const table: Table = { names: ['x'], decimals: [1], rows: 3, integers: Int32Array.of(0, 80, -64) };
    const { flow, base, spec } = untrained(table, 'free');
    const made = { ...untrained(table, 'free'), flow, base };
    const [{ centre, exponent }] = spec.columns!;
    const x = tf.tensor2d(Array.from(table.integers, (n) => [(n + 0.5 - centre) / 2 ** exponent]));
    // A step of 1 in the column is 10 integers, 10 / 2^exponent in the flow.
    const expected = Array.from(logDensities(flow, base, x), (log) => log + Math.log(10 / 2 ** exponent));
    for (const [i, score] of scoreTable(made, table).entries()) expect(score).toBeCloseTo(expected[i], 5);
  });

  test('bytes that are no whole .cnff file are refused in a line', () => {
    const bytes = saveFlow(untrained(unlike(5, new Random(1)), 'free'));
    const random = new Random(5);
    for (let trial = 0; trial < 300; trial++) {
      const wrong = bytes.slice(0, random.below(3) ? bytes.length : random.below(bytes.length));
      if (wrong.length === bytes.length) wrong[random.below(wrong.length)] ^= 1 << random.below(8);
      expect(() => loadFlow(wrong)).toThrow(/^cannot take the flow: [^\n]+$/);
    }
  });

  test.each<[string, (spec: Record<string, never>) => unknown]>([
    ['a field is free or split', () => null],
    ['a field is free or split', (spec) => ({ ...spec, field: { kind: 'x' } })],
    ['1 to 4096 dimensions', (spec) => ({ ...spec, field: { kind: 'free', dimension: 1e9, hidden: [1] } })],
    ['hidden layers', (spec) => ({ ...spec, field: { kind: 'free', dimension: 3, hidden: [1e9] } })],
    ['less weights', (spec) => ({ ...spec, field: { kind: 'free', dimension: 3, hidden: [4096, 4096] } })],
    ['a base is', (spec) => ({ ...spec, base: { kind: 'x' } })],
    ['degrees of freedom', (spec) => ({ ...spec, base: { kind: 'student', freedom: 0 } })],
    ['1 to 256 components', (spec) => ({ ...spec, base: { kind: 'mixture', components: 1e9 } })],
    ['a solver is one of', (spec) => ({ ...spec, solver: { name: 'constructor', steps: 1 } })],
    ['10,000 steps', (spec) => ({ ...spec, solver: { name: 'rk4', steps: 1e9 } })],
    ['needs a split field', (spec) => ({ ...spec, solver: { name: 'splitting', steps: 1 } })],
    ['columns', (spec) => ({ ...spec, columns: [null] })],
    ['columns', (spec) => ({ ...spec, columns: 3 })],
  ])('%s: a flow in other words is refused, whatever its checksum', (reason, change) => {
    const bytes = saveFlow(untrained(unlike(5, new Random(1)), 'free'));
    const view = new DataView(bytes.buffer);
    const end = 9 + view.getUint32(5, true);
    const spec = JSON.parse(new TextDecoder().decode(bytes.subarray(9, end)));
    const text = new TextEncoder().encode(JSON.stringify(change(spec)));
    const forged = new Uint8Array(bytes.length - (end - 9) + text.length);
    forged.set(bytes.subarray(0, 9));
    forged.set(text, 9);
    forged.set(bytes.subarray(end), 9 + text.length);
    const forgedView = new DataView(forged.buffer);
    forgedView.setUint32(5, text.length, true);
    forgedView.setUint32(forged.length - 4, crc32(forged.subarray(0, -4)), true);
    expect(() => loadFlow(forged)).toThrow(reason);
  });
});

describe('coded tables', () => {
  test.each(['free', 'split'] as const)('%s: come back exactly, near their -log2 p', async (kind) => {
    const table = unlike(150, new Random(4));
    const made = untrained(table, kind);
    const bytes = await encodeTable(made, table);
    expect(await decodeTable(made, bytes)).toEqual(table);
    // Bits of a row by density: an integer is a step of 10^-decimals.
    const decimals = table.decimals.reduce((a, b) => a + b);
    const ideal = scoreTable(made, table).reduce((sum, log) => sum - log / Math.LN2 + decimals * Math.log2(10), 0);
    expect(8 * bytes.length).toBeGreaterThan(0.97 * ideal);
    expect(8 * bytes.length).toBeLessThan(1.03 * ideal + 500);
  });

  test('an outlier, an empty table and a single row come back, too', async () => {
    const table = unlike(40, new Random(4));
    const made = untrained(table, 'free');
    const outlier = { ...table, integers: table.integers.map((value, i) => (i === 30 ? 20_000 : value)) };
    const single = { ...table, rows: 1, integers: table.integers.slice(0, 3) };
    const empty = { ...table, rows: 0, integers: new Int32Array(0) };
    for (const one of [outlier, single, empty])
      expect(await decodeTable(made, await encodeTable(made, one))).toEqual(one);
  });

  test('what cannot be coded or decoded is told', async () => {
    const table = unlike(10, new Random(6));
    const made = untrained(table, 'free');
    const bytes = await encodeTable(made, table);
    const heavy = untrained(table, 'free', { kind: 'student', freedom: 3 });
    await expect(encodeTable(heavy, table)).rejects.toThrow('over a normal base, not a student one');
    const far = { ...table, integers: table.integers.map((value, i) => (i === 2 ? -(2 ** 31) : value)) };
    await expect(encodeTable(made, far)).rejects.toThrow('too far from those that the flow was fitted to');
    await expect(decodeTable(untrained(unlike(10, new Random(7)), 'free'), bytes)).rejects.toThrow(
      'under another flow',
    );
    await expect(decodeTable(made, bytes.subarray(0, 40))).rejects.toThrow('cut short or damaged');
    await expect(decodeTable(made, new TextEncoder().encode('x'.repeat(99)))).rejects.toThrow('no .cnfd file');
    // Of other words on the stack, with a checksum that fits.
    const random = new Random(8);
    for (let trial = 0; trial < 20; trial++) {
      const forged = bytes.slice();
      forged[17 + random.below(forged.length - 21)] ^= 1 << random.below(8);
      new DataView(forged.buffer).setUint32(forged.length - 4, crc32(forged.subarray(0, -4)), true);
      await expect(decodeTable(made, forged)).rejects.toThrow('not what was encoded');
    }
  });
});

describe('cnfzip flow', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cnfzip-flow-'));
    const random = new Random(1);
    const rows = Array.from({ length: 120 }, () => {
      const x = random.normal();
      return `${(10 * x).toFixed(1)},${(x * x + 0.1 * random.normal()).toFixed(2)}`;
    });
    writeFileSync(join(folder, 'data.csv'), `x,y\n${rows.join('\n')}\n`);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  const flow = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'flow', ...args], { cwd: folder });
    return { status, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const values = (text: string) => parseTable(text, { decimals: [1, 2], rounds: false });

  test('fits, scores, samples, encodes, and decodes in another process', () => {
    const fitted = flow('fit', 'data.csv', '-o', 'm.cnff', '--steps', '50', '--likelihood', '1', '--hidden', '16,16');
    expect(fitted).toMatchObject({ status: 0 });
    expect(fitted.stdout).toMatch(
      /^data.csv -> m.cnff: 120 rows of 2 columns, \d+ weights, -?[\d.]+ nats per row on 12 rows held out\n$/,
    );
    expect(fitted.stderr).toContain('data.csv: 100 %');
    const scores = flow('score', 'm.cnff', 'data.csv').stdout.trim().split('\n').map(Number);
    expect(scores).toHaveLength(120);
    const drawn = values(flow('sample', 'm.cnff', '-n', '50', '--seed', '2').stdout);
    expect(drawn).toMatchObject({ names: ['x', 'y'], rows: 50 });
    expect(flow('encode', 'm.cnff', 'data.csv', '-o', 'd.cnfd')).toMatchObject({ status: 0, stderr: '' });
    expect(flow('decode', 'm.cnff', 'd.cnfd', '-o', 'again.csv')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const text = readFileSync(join(folder, 'data.csv'), 'utf8');
    expect(values(readFileSync(join(folder, 'again.csv'), 'utf8'))).toEqual(values(text));
    // Bits by -log2 p of rows whose integers are 0.1 and 0.01 apart.
    const ideal = scores.reduce((sum, nats) => sum - nats / Math.LN2 + 3 * Math.log2(10), 0);
    expect(8 * readFileSync(join(folder, 'd.cnfd')).length).toBeLessThan(1.05 * ideal + 500);
  }, 120_000);

  test('a folder of PNG files: patches are coded under a flow of them', () => {
    const random = new Random(3);
    mkdirSync(join(folder, 'images', 'below'), { recursive: true });
    for (const [i, name] of ['a.png', 'below/b.PNG'].entries()) {
      const samples = Uint8Array.from(
        { length: 12 * 8 },
        (_, k) => 100 + (k % 12) * 5 + Math.round(3 * random.normal()),
      );
      writeFileSync(
        join(folder, 'images', name),
        encodePng({ width: 12 - i, height: 8, channels: 1, samples: samples.subarray(0, (12 - i) * 8) }),
      );
    }
    const fitted = flow('fit', 'images', '--patch', '2', '-o', 'p.cnff', '--steps', '20', '--hidden', '8', '-q');
    expect(fitted).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(flow('encode', 'p.cnff', 'images', '-o', 'p.cnfd').stdout).toContain('images -> p.cnfd: 44 rows -> ');
    expect(flow('decode', 'p.cnff', 'p.cnfd', '-o', 'p.csv').status).toBe(0);
    const [names, first] = readFileSync(join(folder, 'p.csv'), 'utf8').split('\n');
    expect(names).toBe('y0x0c0,y0x1c0,y1x0c0,y1x1c0');
    const { samples } = decodePng(readFileSync(join(folder, 'images', 'a.png')));
    expect(first).toBe([samples[0], samples[1], samples[12], samples[13]].join());
    writeFileSync(join(folder, 'images', 'c.png'), 'no image');
    expect(flow('score', 'p.cnff', 'images').stderr).toMatch(/^cnfzip: images\/c.png: [^\n]+\n$/);
    expect(flow('score', 'm.cnff', 'images').stderr).toContain('was not fitted to images');
  }, 120_000);

  test('what is wrong costs a line, and nothing is written', () => {
    writeFileSync(join(folder, 'words.csv'), 'x,y\n1,2\n3,four\n');
    writeFileSync(join(folder, 'short.csv'), '1,2\n3,4\n');
    writeFileSync(join(folder, 'fine.csv'), 'x,y\n1.25,2\n');
    const cases: [string[], number, string][] = [
      [['fit', 'words.csv', '-o', 'no.cnff'], 1, "cnfzip: words.csv: line 3, column 2: 'four' is no number\n"],
      [['fit', 'short.csv', '-o', 'no.cnff'], 1, 'cnfzip: short.csv: a flow is fitted to 20 rows or more, not 2\n'],
      [['fit', 'none.csv', '-o', 'no.cnff'], 1, 'cnfzip: none.csv: '],
      [['fit', 'data.csv', '-o', 'm.cnff'], 1, 'cnfzip: data.csv: cannot write m.cnff: it exists already'],
      [['score', 'data.csv', 'data.csv'], 1, 'cnfzip: data.csv: cannot take the flow: it is no .cnff file\n'],
      [
        ['encode', 'm.cnff', 'fine.csv', '-o', 'no.cnfd'],
        1,
        'cnfzip: fine.csv: line 2, column 1: 1.25 has more than the 1 decimals',
      ],
      [['decode', 'm.cnff', 'm.cnff', '-o', 'no.csv'], 1, 'cnfzip: m.cnff: it is no .cnfd file\n'],
      [
        ['fit', 'data.csv', '-o', 'no.cnff', '--hidden', '0'],
        2,
        "error: option '--hidden <sizes>' argument '0' is invalid",
      ],
      [['fit', 'data.csv'], 2, "error: required option '-o, --output <file>' not specified"],
    ];
    for (const [args, code, line] of cases) {
      const { status, stderr, stdout } = flow(...args);
      expect(stderr).toContain(line);
      expect(status).toBe(code);
      expect(stdout).toBe('');
    }
    for (const name of ['no.cnff', 'no.cnfd', 'no.csv']) expect(existsSync(join(folder, name))).toBe(false);
  }, 120_000);
});
