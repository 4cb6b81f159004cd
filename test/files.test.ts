import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readInput } from '../src/io/files/read.js';
import { checkTarget, writeFileAtomic } from '../src/io/files/write.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const bytes = Uint8Array.of(1, 2, 3);

test('a file is written whole, and nothing else is left', async () => {
  await writeFileAtomic(join(folder, 'a'), bytes);
  expect(readdirSync(folder)).toEqual(['a']);
  expect([...(await readInput(join(folder, 'a')))]).toEqual([1, 2, 3]);
  expect(process.listenerCount('SIGTERM')).toBe(0);
});

test('an existing file is kept, unless it may be replaced', async () => {
  writeFileSync(join(folder, 'a'), 'old');
  await expect(writeFileAtomic(join(folder, 'a'), bytes)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(/cannot write .*a: it exists already/),
  });
  expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('old');
  await writeFileAtomic(join(folder, 'a'), bytes, { force: true });
  expect([...readFileSync(join(folder, 'a'))]).toEqual([1, 2, 3]);
  expect(readdirSync(folder)).toEqual(['a']);
});

test('targets that cannot be are refused, by name', async () => {
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'sub'));
  const refused = (path: string, why: RegExp) =>
    expect(checkTarget(path, { force: true })).rejects.toMatchObject({
      code: 'file',
      message: expect.stringMatching(why),
    });
  await refused(join(folder, 'sub'), /is a folder/);
  await refused(join(folder, 'none', 'a'), /there is no folder .*none/);
  await refused(join(folder, 'file', 'a'), /a part of the path is not a folder/);
  await refused('/dev/null', /is not a regular file/);
  await refused(join(folder, 'x'.repeat(300)), /name is too long/);
});

test('a failure while writing leaves nothing', async () => {
  // The rename fails: its target became a folder behind a link that checkTarget took for missing.
  symlinkSync(join(folder, 'missing'), join(folder, 'link'));
  mkdirSync(join(folder, 'sub'));
  await expect(writeFileAtomic('/proc/cnfzip-test', bytes)).rejects.toMatchObject({ code: 'file' });
  expect(readdirSync(folder).sort()).toEqual(['link', 'sub']);
});

test('reading tells what is wrong', async () => {
  await expect(readInput(join(folder, 'none'))).rejects.toMatchObject({ message: 'no such file or folder' });
  await expect(readInput(folder)).rejects.toMatchObject({ message: 'is a folder' });
});

test.each(['SIGTERM', 'SIGINT'])('%s while writing ends the process and leaves nothing', (signal) => {
  const module = new URL('../dist/src/io/files/write.js', import.meta.url).href;
  const script = `
    import { readdirSync } from 'node:fs';
    import { writeFileAtomic } from '${module}';
    writeFileAtomic('target', new Uint8Array(300_000_000));
    const wait = setInterval(() => {
      if (readdirSync('.').length === 0) return;
      clearInterval(wait);
      process.kill(process.pid, '${signal}');
    }, 1);`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  expect(ended.signal).toBe(signal);
  expect(readdirSync(folder)).toEqual([]);
});
