/** A trial of `bulk work`: workers are killed and the server is ended and started again at random moments. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MANIFEST } from '../../bulk/manifest.js';
import { Codec, encodePng, type Image } from '../../index.js';
import type { Server } from './servers.js';

/** As `bulk add -1` has them coded. */
const LEVEL = { model: 'fast', learning: 'none', effort: 'low' } as const;

/** Milliseconds between looks at the results. */
const LOOK = 50;

export interface Trial {
  /** The command line's module. */
  readonly main: string;
  readonly server: Server;
  readonly from: string;
  readonly to: string;
  /** Bytes of the results, by their names. */
  readonly expected: ReadonlyMap<string, Uint8Array>;
  readonly workers: number;
  /** Workers that are killed, and whether the server is restarted, too. */
  readonly kills: number;
  readonly restart: boolean;
  /** An integer from 0 below its argument. */
  random(below: number): number;
}

export interface Findings {
  readonly seconds: number;
  readonly exact: number;
  readonly wrong: number;
  readonly missing: number;
  /** Results that were replaced by another file, and sources with more than one line in the manifest. */
  readonly replaced: number;
  readonly twice: number;
  /** Whether `bulk verify` proves all of it. */
  readonly proven: boolean;
  /** What workers that were not killed said on stderr. */
  readonly said: string;
}

/** Writes images as PNG files, and codes them as `bulk add -1` should have it done. */
export async function prepare(from: string, images: readonly Image[]): Promise<Map<string, Uint8Array>> {
  const expected = new Map<string, Uint8Array>();
  const codec = new Codec({ model: LEVEL.model });
  try {
    for (const [i, image] of images.entries()) {
      writeFileSync(join(from, `${i}.png`), await encodePng(image));
      const { learning, effort } = LEVEL;
      expected.set(`${i}.cnfz`, await codec.encode(image, { learning, effort }));
    }
  } finally {
    await codec.close();
  }
  return expected;
}

export async function tryQueue(trial: Trial): Promise<Findings> {
  const { main, server, from, to, expected, kills, random } = trial;
  const queue = ['--queue', server.url];
  const added = spawnSync(process.execPath, [main, 'bulk', 'add', from, '--to', to, '-1', '-q', ...queue], {
    encoding: 'utf8',
  });
  if (added.status !== 0) throw new Error(`bulk add: ${added.stderr}`);
  const began = performance.now();
  const workers = Array.from({ length: trial.workers }, () =>
    spawn(process.execPath, [main, 'bulk', 'work', '-T', '1', '--lock', '1', ...queue], {
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
  const said = workers.map(() => '');
  const ends = workers.map((worker, i) => {
    worker.stderr!.on('data', (piece) => {
      said[i] += piece;
    });
    return new Promise((resolve) => worker.once('exit', resolve));
  });
  const files = new Map<string, number>();
  let replaced = 0;
  const look = setInterval(() => {
    if (!existsSync(to)) return;
    for (const name of readdirSync(to).filter((found) => found.endsWith('.cnfz'))) {
      const { ino } = statSync(join(to, name));
      if (files.has(name) && files.get(name) !== ino) replaced++;
      files.set(name, ino);
    }
  }, LOOK);
  // Each at the moment when so many results are there, and a little later.
  const moment = async () => {
    const results = 1 + random(Math.ceil(0.6 * expected.size));
    while (files.size < results && workers.some(isRunning)) await sleep(LOOK / 5);
    await sleep(random(200));
  };
  const faults = workers.slice(0, kills).map(async (worker) => {
    await moment();
    worker.kill('SIGKILL');
  });
  if (trial.restart) faults.push(moment().then(server.restart));
  try {
    await Promise.all([...faults, ...ends]);
  } finally {
    clearInterval(look);
    for (const worker of workers) worker.kill('SIGKILL');
  }
  const seconds = (performance.now() - began) / 1000;
  let [exact, wrong, missing] = [0, 0, 0];
  for (const [name, bytes] of expected) {
    if (!existsSync(join(to, name))) missing++;
    else if (readFileSync(join(to, name)).equals(bytes)) exact++;
    else wrong++;
  }
  const verified = spawnSync(process.execPath, [main, 'bulk', 'verify', to, '--from', from], { encoding: 'utf8' });
  const proven = verified.status === 0 && verified.stdout === `${expected.size} files proven\n`;
  const lines = manifestLines(to);
  return {
    seconds,
    exact,
    wrong,
    missing,
    replaced,
    twice: lines - expected.size,
    proven,
    said: said.slice(kills).join(''),
  };
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function manifestLines(to: string): number {
  const folder = join(to, MANIFEST);
  const all = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  return all
    .join('\n')
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}')).length;
}
