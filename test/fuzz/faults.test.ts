import { expect, test } from 'vitest';

// The command line that faults are injected into is the compiled one. All of them, in every way: `npm run test:faults`.
const built = (name: string) => new URL(`../../dist/src/fuzz/faults/${name}.js`, import.meta.url).href;
const { tryAllFaults } = (await import(
  /* @vite-ignore */ built('grid')
)) as typeof import('../../src/fuzz/faults/grid.js');
const { SCENARIOS } = (await import(
  /* @vite-ignore */ built('scenarios')
)) as typeof import('../../src/fuzz/faults/scenarios.js');

/**
 * At each call one kind of fault, in turn; steps over calls are prime to their number, so that every kind meets every place. Every call of
 * one command fails; the others of its kind share most of its calls.
 */
const IN_TURN = ['EIO', 'SIGKILL', 'ENOSPC', 'short', 'EINTR'] as const;
const STEPS: Record<string, number> = { 'compress --rm': 1, 'decompress --rm': 3, train: 19, 'train --resume': 17 };

test.each(SCENARIOS.map((scenario) => ({ ...scenario, step: STEPS[scenario.name] ?? 7 })))(
  'whatever call of the file system fails, nothing is lost: $name',
  async (scenario) => {
    const faults = (call: number) => (call % scenario.step === 0 ? [IN_TURN[call % IN_TURN.length]] : []);
    const { calls, points, failures } = await tryAllFaults(scenario, faults, 2);
    expect(failures).toEqual([]);
    console.log(`${scenario.name}: ${points} faults at ${calls} calls`);
    expect(points).toBeGreaterThan(calls / scenario.step / 2);
  },
  120_000,
);
