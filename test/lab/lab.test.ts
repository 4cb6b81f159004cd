import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check } from '../../src/lab/experiment.js';
import { NAMES } from '../../src/lab/registry.js';
import { MAIN } from '../paths.js';

/** Those that take seconds; `npm run test:lab` runs all, for ten minutes on a slow machine. */
const QUICKEST = ['accounting', 'incompressible', 'invertibility', 'resnet-limit'];
const TESTED = process.env.TEST_LAB === 'all' ? NAMES : NAMES.filter((name) => QUICKEST.includes(name));

let folder: string;

function lab(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'lab', ...args], { cwd: folder });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-lab-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('experiments, quick', () => {
  beforeAll(() => {
    const { stderr } = lab('run', ...TESTED, '--quick', '--out', 'reports', '-q');
    expect(stderr).toBe('');
  }, 1_200_000);

  test.each([...TESTED])('%s: what it predicts holds, in a report that needs no other file', (name) => {
    const json = JSON.parse(readFileSync(join(folder, 'reports', `${name}.json`), 'utf8'));
    const checks: Check[] = json.checks;
    expect(checks.filter(({ passed, timed }) => !passed && !timed)).toEqual([]);
    expect(json).toMatchObject({ name, quick: true, seed: 1, passed: checks.every(({ passed }) => passed) });
    expect(json.checks.length).toBeGreaterThan(2);
    expect(JSON.stringify(json)).not.toMatch(/null|NaN/);
    // Pictures are random letters.
    const html = readFileSync(join(folder, 'reports', `${name}.html`), 'utf8').replace(/base64,[^"]*/g, '');
    expect(html.match(/<svg/g)!.length).toBeGreaterThanOrEqual(json.figures.length);
    expect(html).toContain(`cnfzip lab run ${name} --quick --seed 1`);
    expect(html).not.toMatch(/<script|<link|src="(?!data:)|href="(?!data:)|NaN|undefined/);
  });

  test('the index leads to all of them', () => {
    const html = readFileSync(join(folder, 'reports', 'index.html'), 'utf8');
    for (const name of TESTED) expect(html).toContain(`<a href="${name}.html">`);
  });
});

test('list tells names and titles', () => {
  const { stdout, status } = lab('list');
  expect(status).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]),
  ).toEqual([...NAMES]);
});

test('the seed decides: the same figures again, others with another', () => {
  const figures = (seed: string, out: string) => {
    expect(lab('run', 'resnet-limit', '--quick', '--seed', seed, '--out', out, '-q')).toMatchObject({
      status: 0,
      stdout: '',
    });
    return JSON.parse(readFileSync(join(folder, out, 'resnet-limit.json'), 'utf8')).checks;
  };
  const first = JSON.parse(readFileSync(join(folder, 'reports', 'resnet-limit.json'), 'utf8')).checks;
  expect(figures('1', 'again')).toEqual(first);
  expect(figures('6', 'other')).not.toEqual(first);
  expect(readdirSync(join(folder, 'again')).sort()).toEqual(['resnet-limit.html', 'resnet-limit.json']);
}, 60_000);

test('what is wrong is told in one line, and nothing is written', () => {
  writeFileSync(join(folder, 'file'), '');
  const cases: [string[], number, RegExp][] = [
    [['run', 'nothing'], 1, /there is no experiment nothing: there are resnet-limit, .*, and all$/],
    [['run', 'hutchinson', '--out', 'file/reports'], 1, /cannot make the folder file\/reports/],
    [['run', 'hutchinson', '--data', 'nowhere'], 1, /there is no folder nowhere \(option --data\)/],
    [['run', 'hutchinson', '--seed', 'x'], 2, /'--seed <n>' argument 'x' is invalid/],
    [['run'], 2, /missing required argument 'name'/],
  ];
  for (const [args, code, line] of cases) {
    const { status, stderr, stdout } = lab(...args);
    expect(stderr.trim().split('\n')[0]).toMatch(line);
    expect(status).toBe(code);
    expect(stdout).toBe('');
  }
  expect(existsSync(join(folder, 'cnfzip-lab'))).toBe(false);
}, 60_000);
