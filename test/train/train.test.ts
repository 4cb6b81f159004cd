import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forwardColour } from '../../codec/flow/colour.js';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { USUAL_RATES } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { modelParameters } from '../../models/definition.js';
import { decodePng, loadModel } from '../../src/index.js';
import { fixture, MAIN } from '../paths.js';
import { SMALL } from './small.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-train-'));
  mkdirSync(join(folder, 'photos'));
  for (const name of ['house-253x191.png', 'river-160x120.png', 'tiny-5x3.png']) {
    cpSync(fixture(name), join(folder, 'photos', name));
  }
  writeFileSync(join(folder, 'photos', 'broken.png'), 'no image');
  writeFileSync(join(folder, 'small.json'), JSON.stringify(SMALL));
});

afterAll(() => rmSync(folder, { recursive: true }));

const common = ['--data', 'photos', '--out', 'mine.cnfm', '--crop', '32', '--batch', '2', '--definition', 'small.json'];

function cnfzip(...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder });
  return { status, stderr: stderr.toString() };
}

test('trains, leaves out what it cannot use, resumes, and its model codes', async () => {
  const first = cnfzip('train', ...common, '--valid', 'photos', '--steps', '3');
  expect(first).toMatchObject({ status: 0 });
  for (const name of ['tiny-5x3.png', 'broken.png']) {
    expect(
      first.stderr.split('\n').filter((line) => line.includes(name) && line.includes('left out')),
    ).not.toHaveLength(0);
  }
  expect(first.stderr).toMatch(/step 3: held-out [\d.]+ bits per sample/);
  const resumed = cnfzip('train', ...common, '--steps', '5', '--resume');
  expect(resumed.stderr).toMatch(/^5 steps/m);
  expect(resumed.status).toBe(0);
  const card = readFileSync(join(folder, 'mine.md'), 'utf8');
  expect(card).toContain('- steps 0 to 3, ');
  expect(card).toContain('`cnfzip train --data photos --out mine.cnfm');
  expect(readFileSync(join(folder, 'mine.svg'), 'utf8')).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);

  // After so few steps WebP codes better: that the model codes at all is asked of the tile codec.
  const model = await loadModel(join(folder, 'mine.cnfm'));
  expect(model.name).toBe('mine');
  const codec = await TileCodec.create({ model, learning: 'none' });
  const { width, height, samples } = decodePng(readFileSync(fixture('gray-paint-121x121.png')));
  const tile = Int32Array.from(samples);
  const shape = { width, height, depth: 8 };
  expect(codec.decode(codec.encode(tile, shape).payload, shape)).toEqual(tile);
});

test('trains for a flow that goes on learning, at the rate that the model tells', { timeout: 60_000 }, async () => {
  const adapting = [
    '--data',
    'photos',
    '--out',
    'adapting.cnfm',
    '--crop',
    '64',
    '--batch',
    '1',
    '--definition',
    'gray',
  ];
  expect(cnfzip('train', ...adapting, '--steps', '2', '--adapt', '--learning', '0.002')).toMatchObject({ status: 0 });
  expect((await loadModel(join(folder, 'adapting.cnfm'))).rates).toEqual({ ...USUAL_RATES, head: 0.002, field: 0.002 });
  expect(readFileSync(join(folder, 'adapting.md'), 'utf8')).toContain(
    'at rates of 0.002 (heads), 0.002 (field), 0.002 (correction) and 0.0004 (last blocks)',
  );
  const following = adapting.map((word) => (word === 'adapting.cnfm' ? 'following.cnfm' : word));
  expect(cnfzip('train', ...following, '--steps', '1', '--init', 'adapting.cnfm')).toMatchObject({ status: 0 });
  expect((await loadModel(join(folder, 'following.cnfm'))).rates.head).toBe(0.002);
});

test('the start of learning is moved: heads and field, nothing else, and for the better', {
  timeout: 120_000,
}, async () => {
  const own = join(folder, 'photographs');
  mkdirSync(own);
  cpSync(fixture('house-253x191.png'), join(own, 'house.png'));
  writeFileSync(join(own, 'broken.png'), 'no image');
  const script = fileURLToPath(new URL('../../dist/src/train/start.js', import.meta.url));
  const shipped = fileURLToPath(new URL('../../models/fast.cnfm', import.meta.url));
  const out = join(folder, 'moved.cnfm');
  const { status, stderr } = spawnSync(
    process.execPath,
    [script, shipped, '--data', own, '--out', out, '--crops', '40', '--crop', '96'],
    { encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([0, expect.stringMatching(/^[^\n]*broken\.png: [^\n]*; left out\n$/)]);
  const [before, after] = [await loadModel(shipped), await loadModel(out)];
  for (const { name, offset, size } of modelParameters(before.definition).all) {
    const [a, b] = [before, after].map(({ weights }) => weights.slice(offset, offset + size));
    if (/head|field/.test(name)) expect(a, name).not.toEqual(b);
    else expect(a, name).toEqual(b);
  }
  const { width, height, samples } = decodePng(readFileSync(fixture('house-253x191.png')));
  const lengths: number[] = [];
  for (const { definition, rates, weights } of [before, after]) {
    const likelihood = await Likelihood.create(definition, rates);
    likelihood.load(weights);
    lengths.push(likelihood.evaluate(forwardColour(samples, 3), { width, height, depth: 8 }, false));
  }
  expect(lengths[1]).toBeLessThan(lengths[0]);
});

test('the same command and seed on one thread give the same weights', () => {
  const weights = ['a', 'b'].map((name) => {
    const out = ['--out', `${name}.cnfm`, '--threads', '1', '--seed', '7'];
    expect(cnfzip('train', ...common, ...out, '--steps', '4')).toMatchObject({ status: 0 });
    return readFileSync(join(folder, `${name}.cnfm.ckpt`)).subarray(-16 * 1000);
  });
  expect(weights[0].equals(weights[1])).toBe(true);
});

test('what is no definition: one line, exit 1', () => {
  writeFileSync(join(folder, 'wide.json'), JSON.stringify({ ...SMALL, width: 7 }));
  writeFileSync(join(folder, 'deep.json'), JSON.stringify({ ...SMALL, depth: 3 }));
  const train = (name: string) => cnfzip('train', ...common, '--out', 's.cnfm', '--definition', name, '--steps', '1');
  expect(train('wide.json')).toEqual({
    status: 1,
    stderr: 'cnfzip: train: wide.json: out of range in its definition: width\n',
  });
  expect(train('deep.json').stderr).toBe('cnfzip: train: deep.json: not known in its definition: depth\n');
  expect(train('gone.json').stderr).toBe('cnfzip: train: gone.json: no such file or folder\n');
  expect(train('huge').stderr).toMatch(/^cnfzip: train: there is no definition huge: [^\n]*default[^\n]*\n$/);
});

test('what only the kernels do is asked of no other engine: one line, exit 1', () => {
  expect(cnfzip('train', ...common, '--out', 't.cnfm', '--adapt', '--engine', 'tfjs')).toEqual({
    status: 1,
    stderr: 'cnfzip: train: --adapt needs the kernels: it does not go with --engine tfjs\n',
  });
});

test('a checkpoint of another model, and a folder that is none: one line, exit 1', () => {
  const other = common.map((word) => (word === 'small.json' ? 'default' : word));
  const mismatch = cnfzip('train', ...other, '--steps', '9', '--resume');
  expect(mismatch).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^cnfzip: train: [^\n]*another model[^\n]*\n$/),
  });
  const missing = cnfzip('train', '--data', 'nowhere', '--out', 'n.cnfm');
  expect(missing).toEqual({ status: 1, stderr: 'cnfzip: train: nowhere: not a folder\n' });
  expect(readdirSync(folder).filter((name) => name.startsWith('n.'))).toEqual([]);
});

test('what a run would replace without having made it is kept: one line, exit 1', () => {
  const model = readFileSync(join(folder, 'a.cnfm'));
  cpSync(join(folder, 'mine.cnfm'), join(folder, 'a.cnfm'));
  const resume = () => cnfzip('train', ...common, '--out', 'a.cnfm', '--steps', '4', '--resume');
  expect(resume()).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      /^cnfzip: train: a\.cnfm: not the model that its checkpoint was written with[^\n]*\n$/,
    ),
  });
  expect(readFileSync(join(folder, 'a.cnfm'))).toEqual(readFileSync(join(folder, 'mine.cnfm')));
  writeFileSync(join(folder, 'a.cnfm'), model);
  expect(resume()).toMatchObject({ status: 0 });

  writeFileSync(join(folder, 'notes.md'), 'mine');
  const notes = cnfzip('train', ...common, '--out', 'notes.cnfm', '--steps', '1');
  expect(notes).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^cnfzip: train: notes\.md exists already[^\n]*\n$/),
  });
});

test('an interrupt ends the run with a checkpoint', async () => {
  const out = ['--out', 'interrupted.cnfm', '--threads', '1'];
  const child = spawn(process.execPath, [MAIN, 'train', ...common, ...out, '--steps', '1000000'], { cwd: folder });
  await new Promise<void>((resolve) => child.stderr.once('data', () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  child.kill('SIGINT');
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['interrupted.cnfm', 'interrupted.cnfm.ckpt']));
});
