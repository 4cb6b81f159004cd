import { expect, test } from 'vitest';
import { type FuzzKind, type Outcome, prepareTrials } from '../../src/fuzz/trials.js';

/** How often each outcome came of the cases of some seeds; a failure throws. */
async function outcomes(kind: FuzzKind, cases: number): Promise<Record<Outcome, number>> {
  const run = await prepareTrials(kind, 24);
  const counts = { refused: 0, unchanged: 0, accepted: 0 };
  for (let seed = 1; seed <= cases; seed++) counts[await run(seed)]++;
  return counts;
}

test('damaged .cnfz files are refused, or whole', async () => {
  const { refused, accepted } = await outcomes('cnfz', 1000);
  expect(refused).toBeGreaterThan(950);
  expect(accepted).toBe(0);
}, 60_000);

test('forged .cnfz files, all checksums right, are refused or images like any other', async () => {
  const { refused, accepted } = await outcomes('forged', 200);
  expect(refused).toBeGreaterThan(150);
  expect(accepted).toBeGreaterThan(2);
}, 60_000);

test('damaged PNG files are refused, or images like any other', async () => {
  expect((await outcomes('png', 500)).refused).toBeGreaterThan(300);
}, 60_000);

test('a scale, a region and a prefix of a file give exactly what they show, or are refused', async () => {
  expect((await outcomes('view', 60)).unchanged).toBeGreaterThan(20);
}, 60_000);

test('damaged and forged archives are refused, or images like any other', async () => {
  const { refused, accepted } = await outcomes('archive', 600);
  expect(refused).toBeGreaterThan(400);
  expect(accepted).toBeGreaterThan(0);
}, 60_000);
