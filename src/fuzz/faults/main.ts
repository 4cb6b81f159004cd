/**
 * `npm run test:faults`: lets every call of the file system fail, one a run, in every way, in commands that write files. Nothing may
 * be lost by it, nothing half-written may be left, and the exit code must be true.
 */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { tryAllFaults } from './grid.js';
import { FAULTS } from './inject.js';
import { SCENARIOS } from './scenarios.js';

const program = new Command('faults')
  .description('Let every call of the file system fail; exit code 1 if an image is ever lost.')
  .argument('[name...]', `of commands: ${SCENARIOS.map(({ name }) => `"${name}"`).join(', ')} (default: all)`)
  .action(run);
await program.parseAsync();

async function run(names: string[]): Promise<void> {
  let [points, failures] = [0, 0];
  for (const scenario of SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const tried = await tryAllFaults(scenario, () => FAULTS, availableParallelism());
    for (const failure of tried.failures) console.log(failure);
    console.log(`${scenario.name}: ${tried.calls} calls, ${tried.points} faults, ${tried.failures.length} failures`);
    points += tried.points;
    failures += tried.failures.length;
  }
  console.log(`${points} points of fault injection tried; ${failures} failures`);
  if (failures > 0) process.exitCode = 1;
}
