/** All faults of a scenario. */
import type { Fault } from './inject.js';
import type { Scenario } from './scenarios.js';
import { clearAway, makeReady, tryFault } from './trial.js';

export interface Tried {
  /** Calls that a run makes. */
  calls: number;
  /** Faults that happened. */
  points: number;
  /** What did not hold, a text for each. */
  failures: string[];
}

/**
 * Lets one call fail after the other, until a run makes no more of them.
 *
 * @param faults those to try at a call
 * @param lanes runs at once
 */
export async function tryAllFaults(
  scenario: Scenario,
  faults: (call: number) => readonly Fault[],
  lanes: number,
): Promise<Tried> {
  const ready = await makeReady(scenario);
  const tried: Tried = { calls: 0, points: 0, failures: [] };
  let [next, done] = [1, false];
  const lane = async () => {
    while (!done) {
      const call = next++;
      for (const fault of faults(call)) {
        const { failed, problem } = await tryFault(ready, call, fault);
        if (failed === undefined) done = true;
        else tried.calls = Math.max(tried.calls, call);
        if (failed) tried.points++;
        if (problem) tried.failures.push(problem);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: lanes }, lane));
  } finally {
    clearAway(ready);
  }
  return tried;
}
