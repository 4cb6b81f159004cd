import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addSources } from '../../src/bulk/add.js';
import { planWork } from '../../src/bulk/plan.js';
import { openQueue } from '../../src/bulk/queue.js';
import { findPostgres, findRedis } from '../../src/fuzz/queue/servers.js';
import { prepare, tryQueue } from '../../src/fuzz/queue/trial.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { MAIN } from '../paths.js';

let folder: string;
let from: string;
let to: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-queue-'));
  [from, to] = [join(folder, 'from'), join(folder, 'to')];
  mkdirSync(from);
});

afterEach(() => rmSync(folder, { recursive: true }));

function bulk(...words: string[]) {
  return spawnSync(process.execPath, [MAIN, 'bulk', ...words], { encoding: 'utf8' });
}

/** Small images of random colours, and what they become. */
function makeImages(count: number) {
  const random = randomIntegers(count);
  const samples = () => Uint8Array.from({ length: 24 * 24 * 3 }, () => random(60));
  return prepare(
    from,
    Array.from({ length: count }, () => ({ width: 24, height: 24, channels: 3 as const, samples: samples() })),
  );
}

/** As the command line codes at level 1. */
const CODING = { verb: 'compress', model: 'fast', learning: 'none', effort: 'low' } as const;

const SERVERS = [
  ['Redis', findRedis(), 'redis-server'],
  ['PostgreSQL', findPostgres(), 'postgresql'],
] as const;

for (const [name, installed, what] of SERVERS) {
  test(`${name}: a worker is killed and the server restarted, all results are exact and made once`, async (context) => {
    if (!installed) return context.skip(`${what} is not installed`);
    const expected = await makeImages(5);
    const server = await installed.start();
    try {
      const random = randomIntegers(2);
      const trial = { main: MAIN, server, from, to, expected, workers: 2, kills: 1, restart: true, random };
      expect(await tryQueue(trial)).toMatchObject({ exact: 5, wrong: 0, missing: 0, replaced: 0, proven: true });
      // What the manifest has is not added again.
      expect(await planWork({ from, to, coding: CODING, shard: { index: 1, count: 1 } }, false)).toMatchObject({
        todo: [],
        done: { length: 5 },
      });
    } finally {
      await server.stop();
    }
  }, 120_000);
}

test('what ends its workers, what cannot be read and what is damaged is listed; folders may have other names', async (context) => {
  const redis = findRedis();
  if (!redis) return context.skip('redis-server is not installed');
  await makeImages(1);
  const server = await redis.start();
  const queue = ['--queue', server.url];
  try {
    const opened = await openQueue({ url: server.url, name: 'cnfzip' });
    const { todo } = await planWork({ from, to, coding: CODING, shard: { index: 1, count: 1 } }, false);
    await addSources(opened, { from, to }, CODING, todo);
    await opened.close();
    // Three workers that take it and are not heard of again.
    const dead = new Worker('cnfzip', null, {
      connection: { url: server.url },
      lockDuration: 30,
      stalledInterval: 30,
      maxStalledCount: 9,
      skipLockRenewal: true,
    });
    await dead.startStalledCheckTimer();
    for (let i = 0; i < 3; ) {
      if (await dead.getNextJob(`token ${i}`, { block: false })) i++;
      await sleep(20);
    }
    await dead.close(true);

    writeFileSync(join(from, 'cut.png'), readFileSync(join(from, '0.png')).subarray(0, 100));
    writeFileSync(join(from, 'good.png'), readFileSync(join(from, '0.png')));
    expect(bulk('add', from, '--to', to, '-1', ...queue).stderr).toContain('3 files: in the queue');
    const elsewhere = join(folder, 'elsewhere');
    renameSync(from, elsewhere);
    const worked = bulk('work', '--mount', `${from}=${elsewhere}`, '--lock', '1', ...queue);
    expect(worked.status).toBe(1);
    expect(worked.stderr).toContain('1 of 3 files');
    const { stdout } = bulk('status', to, ...queue);
    expect(stdout).toMatch(/^done: 1 file,.*failed: 2$/m);
    expect(stdout).toMatch(/^0\.png: it was begun 3 times, and each time its worker ended/m);
    expect(stdout).toMatch(/^cut\.png: PNG cut short/m);

    const damaged = readFileSync(join(to, 'good.cnfz'));
    damaged[damaged.length >> 1] ^= 1;
    writeFileSync(join(to, 'good.cnfz'), damaged);
    expect(bulk('add', elsewhere, '--to', to, '--verb', 'verify', ...queue).stderr).toContain('1 file: in the queue');
    expect(bulk('work', ...queue).status).toBe(1);
    expect(bulk('status', ...queue).stdout).toContain('good.png: good.cnfz: it is not what was written');
  } finally {
    await server.stop();
  }
}, 120_000);

test('what is no queue is told in a line', () => {
  const wrong = bulk('work', '--queue', 'amqp://host');
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toBe('cnfzip: a queue is named by redis://HOST:PORT or postgres://USER@HOST/DATABASE\n');
});
