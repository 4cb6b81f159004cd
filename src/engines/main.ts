/**
 * `npm run test:engines`: golden files and random tiles in all JavaScript engines at hand, which must find the same bytes as this Node.
 * Engines that are missing are skipped with a line that says how to get them.
 */
import { readdirSync, statSync } from 'node:fs';
import { Argument, Command } from 'commander';
import { browserEngines } from './browsers.js';
import type { Findings, Task } from './check.js';
import type { Engine } from './engine.js';
import { nodeEngines } from './node.js';
import { installPackages, packageEngines } from './packages.js';

const KINDS = ['node', 'bun', 'deno', 'chromium', 'firefox', 'arm64'];

/** Bytes of the largest golden file for engines that are emulated. */
const SMALL = 20_000;

const program = new Command('test:engines')
  .description('Decode and encode in every JavaScript engine at hand; exit code 1 if the bytes differ anywhere.')
  .addArgument(new Argument('[engines...]', 'kinds of engines; all if none is named').choices(KINDS))
  .option('--install', 'install missing engines that npm has, below node_modules/.cache')
  .action(async (named: string[], { install }: { install?: boolean }) => {
    const kinds = named.length > 0 ? named : KINDS;
    if (install) installPackages(kinds);
    if (!(await compareEngines(kinds))) process.exitCode = 1;
  });
await program.parseAsync();

async function compareEngines(kinds: readonly string[]): Promise<boolean> {
  const fixtures = new URL('../../../fixtures/', import.meta.url);
  const files = readdirSync(fixtures).filter((name) => name.endsWith('.cnfz'));
  const small = files.filter((name) => statSync(new URL(name, fixtures)).size <= SMALL);
  const models = readdirSync(new URL('../../../models/', import.meta.url)).flatMap(
    (name) => name.match(/^(.*)\.cnfm$/)?.[1] ?? [],
  );
  const [node, ...others] = [...nodeEngines(), ...packageEngines(), ...browserEngines()];
  printRow(['engine', 'version', 'files', 'tiles', 'seconds', 'verdict']);
  const reference = await ask(node, { files, models });
  let good = report(node, reference, reference, files.length);
  for (const engine of others) {
    if (!kinds.includes(engine.kind)) continue;
    if (!engine.version) {
      console.log(`${engine.name}: skipped: ${engine.remedy}`);
      continue;
    }
    const asked = engine.emulated ? small : files;
    const answer = await ask(engine, { files: asked, models });
    good = report(engine, answer, reference, asked.length) && good;
  }
  return good;
}

type Answer = { seconds: number } & ({ findings: Findings } | { failure: string });

async function ask(engine: Engine, task: Task): Promise<Answer> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    return { findings: await engine.run(task), seconds: seconds() };
  } catch (error) {
    const lines = (error as Error).message.trim().split('\n');
    return { failure: lines.find((line) => /Error/.test(line)) ?? lines[0], seconds: seconds() };
  }
}

/** Prints what an engine found, and what is wrong with it; returns whether nothing is. */
function report({ name, version }: Engine, answer: Answer, reference: Answer, asked: number): boolean {
  const { files, tiles } = 'findings' in answer ? answer.findings : { files: {}, tiles: {} };
  const wrong = 'failure' in answer ? [answer.failure] : [];
  for (const [file, verdict] of Object.entries(files)) if (verdict !== 'same') wrong.push(`${file}: ${verdict}`);
  const expected = 'findings' in reference ? reference.findings.tiles : {};
  const missing = asked + Object.keys(expected).length - Object.keys(files).length - Object.keys(tiles).length;
  if (missing !== 0) wrong.push(`${missing} files or tiles were not answered for`);
  for (const [tile, verdict] of Object.entries(tiles)) {
    if (!/^[0-9a-f]{8}$/.test(verdict)) wrong.push(`${tile}: ${verdict}`);
    else if (verdict !== expected[tile]) wrong.push(`${tile}: payload ${verdict}, not ${expected[tile]}`);
  }
  const counts = [Object.keys(files).length, Object.keys(tiles).length].map(String);
  printRow([name, version!, ...counts, answer.seconds.toFixed(0), wrong.length > 0 ? 'DIFFERENT' : 'same']);
  for (const line of wrong) console.log(`  ${line}`);
  return wrong.length === 0;
}

function printRow([name, version, files, tiles, seconds, verdict]: string[]): void {
  console.log(
    `${name.padEnd(34)}${version.padEnd(16)}${files.padStart(5)}${tiles.padStart(7)}${seconds.padStart(9)}  ${verdict}`,
  );
}
