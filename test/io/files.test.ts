import { spawn, spawnSync } from 'node:child_process';
import fs, {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { filesBelow, makeFolder } from '../../src/io/files/folders.js';
import { openInput, readInput, removeInput } from '../../src/io/files/read.js';
import { MOST_AT_ONCE, sourceIn } from '../../src/io/files/source.js';
import { guard, temporaryPath, unguard } from '../../src/io/files/temporary.js';
import { checkTarget, writeFileAtomic } from '../../src/io/files/write.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const bytes = Uint8Array.of(1, 2, 3);
const path = (name: string) => join(folder, name);
const state = (name: string) => statSync(path(name), { bigint: true });
const refusal = (why: RegExp) => ({ code: 'file', message: expect.stringMatching(why) });

test('a file is written whole, and nothing else is left', async () => {
  await writeFileAtomic(join(folder, 'a'), bytes);
  expect(readdirSync(folder)).toEqual(['a']);
  expect([...(await readInput(join(folder, 'a')))]).toEqual([1, 2, 3]);
  for (const event of ['SIGTERM', 'SIGHUP']) expect(process.listenerCount(event)).toBe(0);
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

test('reads and writes that do only a part of what they should are gone on with', async () => {
  const handle = await fs.promises.open(path('source'), 'w');
  const { read, write } = Object.getPrototypeOf(handle);
  await handle.close();
  Object.assign(Object.getPrototypeOf(handle), {
    read(buffer: Uint8Array, offset: number, length: number, position: null) {
      return read.call(this, buffer, offset, Math.min(length, 1000), position);
    },
    write(buffer: Uint8Array, offset: number, length: number) {
      return write.call(this, buffer, offset, Math.min(length, 1000));
    },
  });
  try {
    const content = Buffer.alloc(100_001, 'abcdefghijk');
    await writeFileAtomic(path('a'), content);
    expect(Buffer.compare(readFileSync(path('a')), content)).toBe(0);
    expect(Buffer.compare(await readInput(path('a')), content)).toBe(0);
  } finally {
    Object.assign(Object.getPrototypeOf(handle), { read, write });
  }
});

test('of many that write one file at once, one succeeds', async () => {
  const writers = Array.from({ length: 20 }, (_, i) => writeFileAtomic(path('a'), Uint8Array.of(i)));
  const outcomes = await Promise.allSettled(writers);
  const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
  expect(winners).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refusal(/it exists already/));
  }
  expect([...readFileSync(path('a'))]).toEqual(winners);
  expect(readdirSync(folder)).toEqual(['a']);
});

test('where there are no hard links, nothing is replaced either', async () => {
  const { link } = fs.promises;
  fs.promises.link = async () => {
    throw Object.assign(new Error(), { code: 'EPERM' });
  };
  syncBuiltinESMExports();
  try {
    await writeFileAtomic(path('a'), bytes);
    expect([...readFileSync(path('a'))]).toEqual([1, 2, 3]);
    const outcomes = await Promise.allSettled([writeFileAtomic(path('b'), bytes), writeFileAtomic(path('b'), bytes)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect([...readFileSync(path('b'))]).toEqual([1, 2, 3]);
    expect(readdirSync(folder)).toEqual(['a', 'b']);
  } finally {
    fs.promises.link = link;
    syncBuiltinESMExports();
  }
});

test('mode and times are those of what a file is made from', async () => {
  for (const mode of [0o600, 0o640, 0o777, 0o444]) {
    writeFileSync(path('source'), '');
    chmodSync(path('source'), mode);
    utimesSync(path('source'), 1e9, 1e9 + 0.25);
    await writeFileAtomic(path('a'), bytes, { force: true, source: state('source') });
    expect(statSync(path('a')).mode & 0o7777).toBe(mode);
    expect(statSync(path('a')).mtimeMs).toBe(1e12 + 250);
    rmSync(path('source'));
  }
});

test('a file is not readable for others before it has its mode', async () => {
  writeFileSync(path('source'), '');
  chmodSync(path('source'), 0o600);
  const modes = new Set<number>();
  const watch = setInterval(() => {
    for (const name of readdirSync(folder)) modes.add(statSync(path(name)).mode & 0o777);
  }, 0);
  await writeFileAtomic(path('a'), new Uint8Array(3e7), { source: state('source') });
  clearInterval(watch);
  expect([...modes]).toEqual([0o600]);
});

test('force writes through symbolic links, also to what is not there yet', async () => {
  mkdirSync(path('far/away'), { recursive: true });
  symlinkSync('../second', path('far/first'));
  symlinkSync('far/away/new', path('second'));
  symlinkSync('far', path('near'));
  const given = path('near/first');
  // The link itself is something, though what it points to is missing.
  await expect(writeFileAtomic(given, bytes)).rejects.toMatchObject(refusal(/it exists already/));
  for (const content of [bytes, Uint8Array.of(4)]) {
    await writeFileAtomic(given, content, { force: true });
    expect(readFileSync(path('far/away/new')).equals(content)).toBe(true);
  }
  expect(readlinkSync(path('far/first'))).toBe('../second');
  expect(readdirSync(folder, { recursive: true }).filter((name) => `${name}`.includes('.cnfzip-'))).toEqual([]);
  symlinkSync('loop', path('loop'));
  await expect(writeFileAtomic(path('loop'), bytes, { force: true })).rejects.toMatchObject(
    refusal(/too many symbolic links/),
  );
});

test('what a file is made from is never replaced, whatever its name', async () => {
  writeFileSync(path('a'), 'original');
  linkSync(path('a'), path('hard'));
  symlinkSync('a', path('soft'));
  for (const name of ['a', 'hard', 'soft']) {
    for (const force of [false, true]) {
      const writing = writeFileAtomic(path(name), bytes, { force, source: state('a') });
      await expect(writing).rejects.toMatchObject(refusal(/cannot write .*: it is the input itself$/));
    }
  }
  expect(readFileSync(path('a'), 'utf8')).toBe('original');
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
  await refused(join(folder, 'x'.repeat(300)), /name is too long/);
});

test('devices and pipes are given what is written, and stay what they are', async () => {
  expect(await writeFileAtomic('/dev/null', bytes)).toBeUndefined();
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  const fifo = path('fifo');
  spawnSync('mkfifo', [fifo]);
  const reader = spawn('cat', [fifo]);
  const read = new Promise<Buffer>((resolve) => reader.stdout.once('data', resolve));
  expect(await writeFileAtomic(fifo, bytes)).toBeUndefined();
  expect([...(await read)]).toEqual([...bytes]);
});

test('a failure while writing leaves nothing', async () => {
  const { rename } = fs.promises;
  fs.promises.rename = async () => {
    expect(readdirSync(folder)).toHaveLength(1);
    throw Object.assign(new Error(), { code: 'EIO' });
  };
  syncBuiltinESMExports();
  try {
    const writing = writeFileAtomic(path('a'), bytes, { force: true });
    await expect(writing).rejects.toMatchObject(refusal(/cannot write .*a: input\/output error/));
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    fs.promises.rename = rename;
    syncBuiltinESMExports();
  }
  await expect(writeFileAtomic('/proc/cnfzip-test', bytes)).rejects.toMatchObject({ code: 'file' });
});

test('what killed processes have left is removed at the next write, what others are writing is not', async () => {
  const gone = spawnSync(process.execPath, ['--version']).pid;
  const own = temporaryPath(folder);
  const by = (pid: number) => temporaryPath(folder).replace(`-${process.pid}-`, `-${pid}-`);
  const elsewhere = by(gone).replace(/-[0-9a-f]{8}-/, '-00000000-');
  const alien = [path('.cnfzip-notes.tmp'), path('a.tmp')];
  const kept = [own, by(process.ppid), elsewhere, ...alien];
  for (const file of [...kept, by(gone), by(gone)]) writeFileSync(file, 'part');
  // As old as its input: it is the time of the last change that counts.
  utimesSync(own, 1, 1);
  await writeFileAtomic(path('a'), bytes);
  const names = (files: string[]) => files.map((file) => relative(folder, file)).sort();
  expect(readdirSync(folder).sort()).toEqual(names([...kept, path('a')]));
});

test('temporary files of another host are removed after a day', async () => {
  const elsewhere = temporaryPath(folder).replace(/-[0-9a-f]{8}-/, '-00000000-');
  writeFileSync(elsewhere, 'part');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 25 * 3600 * 1000 });
  await writeFileAtomic(path('a'), bytes);
  expect(readdirSync(folder)).toEqual(['a']);
});

test('reading tells what is wrong', async () => {
  await expect(readInput(join(folder, 'none'))).rejects.toMatchObject({ message: 'no such file or folder' });
  await expect(readInput(folder)).rejects.toMatchObject({ message: 'is a folder' });
});

test('files of any size are read whole, also while they grow, and fifos to their end', async () => {
  for (const size of [0, 1, 65535, 65536, 65537, 300_000]) {
    const content = Buffer.alloc(size, 'abcdefghijk');
    writeFileSync(path('a'), content);
    expect(Buffer.compare(await readInput(path('a')), content)).toBe(0);
    const input = await openInput(path('a'));
    appendFileSync(path('a'), content);
    expect(await input.read()).toHaveLength(2 * size);
  }
  spawnSync('mkfifo', [path('fifo')]);
  const writer = spawn('sh', ['-c', `head -c 200000 /dev/zero > ${path('fifo')}`]);
  expect(await readInput(path('fifo'))).toHaveLength(200_000);
  await new Promise((resolve) => (writer.exitCode === null ? writer.on('exit', resolve) : resolve(0)));
});

test('an input is removed only while it is what was read', async () => {
  const changes: Record<string, () => void> = {
    'a longer file': () => appendFileSync(path('a'), '!'),
    'other bytes': () => writeFileSync(path('a'), 'ORIGINAL'),
    'another file': () => {
      writeFileSync(path('b'), 'original');
      const { atime, mtime } = statSync(path('a'));
      utimesSync(path('b'), atime, mtime);
      renameSync(path('b'), path('a'));
    },
  };
  for (const [name, change] of Object.entries(changes)) {
    writeFileSync(path('a'), 'original');
    utimesSync(path('a'), 1e9, 1e9);
    const { state, read } = await openInput(path('a'));
    await read();
    change();
    await expect(removeInput(path('a'), state), name).rejects.toMatchObject(refusal(/not removed: it was changed/));
    expect(readdirSync(folder), name).toEqual(['a']);
    rmSync(path('a'));
  }
  writeFileSync(path('a'), 'original');
  await removeInput(path('a'), state('a'));
  expect(readdirSync(folder)).toEqual([]);
  await expect(removeInput('/dev/null', statSync('/dev/null', { bigint: true }))).rejects.toMatchObject(
    refusal(/not a regular file/),
  );
});

test('a folder is its regular files, through links too, and no fifos, devices or links to nothing', async () => {
  await makeFolder(path('in/deep/er'));
  for (const name of ['in/b.PNG', 'in/deep/er/a.png', 'in/c.txt']) writeFileSync(path(name), '');
  symlinkSync('c.txt', path('in/link.png'));
  symlinkSync('nothing', path('in/dangling.png'));
  symlinkSync('/dev/null', path('in/device.png'));
  mkdirSync(path('in/folder.png'));
  spawnSync('mkfifo', [path('in/fifo.png')]);
  expect(await filesBelow(path('in'), ['.png'])).toEqual(['b.PNG', join('deep', 'er', 'a.png'), 'link.png']);
});

test.each(['SIGTERM', 'SIGINT', 'exit'])('%s while writing ends the process and leaves nothing', (end) => {
  const module = new URL('../../dist/src/io/files/write.js', import.meta.url).href;
  const script = `
    import { readdirSync } from 'node:fs';
    import { writeFileAtomic } from '${module}';
    writeFileAtomic('target', new Uint8Array(300_000_000));
    const wait = setInterval(() => {
      if (readdirSync('.').length === 0) return;
      clearInterval(wait);
      if ('${end}' === 'exit') process.exit(3);
      process.kill(process.pid, '${end}');
    }, 1);`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  expect(ended.signal ?? ended.status).toBe(end === 'exit' ? 3 : end);
  expect(readdirSync(folder)).toEqual([]);
});

test('a signal is left to a listener that asks for a graceful end; the next ends the process, and leaves nothing', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  const graceful = vi.fn();
  const file = temporaryPath(folder);
  try {
    // Takes itself off before those behind it are called.
    process.once('SIGTERM', graceful);
    guard(file);
    writeFileSync(file, 'half');
    process.emit('SIGTERM', 'SIGTERM');
    expect(graceful).toHaveBeenCalledTimes(1);
    expect(kill).not.toHaveBeenCalled();
    expect(readdirSync(folder)).toHaveLength(1);
    process.emit('SIGTERM', 'SIGTERM');
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGTERM');
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    kill.mockRestore();
    process.off('SIGTERM', graceful);
    unguard(file);
  }
  for (const event of ['SIGTERM', 'SIGHUP']) expect(process.listenerCount(event)).toBe(0);
});

test('no call reads more than Node can', async () => {
  const asked: number[] = [];
  const read = async (_room: Uint8Array, _filled: number, length: number) => {
    asked.push(length);
    return { bytesRead: length };
  };
  const size = 2 ** 33;
  const source = sourceIn({ read } as unknown as fs.promises.FileHandle, size);
  expect(await source.readInto!(7, { length: size } as Uint8Array)).toBe(size - 7);
  expect(Math.max(...asked)).toBe(MOST_AT_ONCE);
});

test('one layer touches the file system', () => {
  const source = fileURLToPath(new URL('../../src/', import.meta.url));
  const files = readdirSync(source, { recursive: true }).map(String);
  // Laboratory, benchmarks, fuzzing and the check of engines are programs of their own.
  const own = files.filter((file) => file.endsWith('.ts') && !/^(lab|bench|fuzz|engines)[/\\]/.test(file));
  const code = (file: string) => readFileSync(join(source, file), 'utf8').replace(/^ \*.*$/gm, '');
  const users = own.filter((file) => /['"](node:)?fs(\/promises)?['"]/.test(code(file)));
  const layer = own.filter((file) => /^io[/\\]files[/\\]/.test(file));
  expect(users.filter((file) => !layer.includes(file))).toEqual([]);
  expect(users.length).toBeGreaterThan(3);
});
