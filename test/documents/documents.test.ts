/**
 * README and `docs/`: commands that are shown run, or at least exist with the options that are shown; links lead somewhere, in the package too.
 * The session is compared word for word, but for numbers.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAIN } from '../paths.js';

const root = (path = '') => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string) => readFileSync(root(path), 'utf8');
const { scripts, files } = JSON.parse(read('package.json')) as { scripts: Record<string, string>; files: string[] };

const pages = [
  ...readdirSync(root()).filter((name) => name.endsWith('.md')),
  ...readdirSync(root('docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];

const blocks = (page: string, language: string) =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code);

/** Each command of a block, without comments. */
const commands = pages.flatMap((page) =>
  blocks(page, 'sh').flatMap((code) =>
    code
      .split('\n')
      .flatMap((line) => line.replace(/\s+#.*$/, '').split(/\s+&&\s+/))
      .filter((command) => command !== '')
      .map((command) => ({ page, command })),
  ),
);

/** What takes long, needs the network or a whole checkout, or does not end: its options are looked up instead. */
const LOOKED_UP = /^tar \b|\bnpm (ci|i|pack|test|run)\b|\bnpx (?!cnfzip)|cnfzip (web|train|lab run)\b/;

/** What is there for a command that names it, and of which fixture it is made. */
const NAMED: readonly [name: string, path: string, from: string][] = [
  ['photo.png', 'photo.png', 'fixtures/red-door-128x96.png'],
  ['photo.cnfz', 'photo.cnfz', 'fixtures/red-door-128x96.cnfz'],
  ['a.png', 'a.png', 'fixtures/water-32x32.png'],
  // Under the photograph's name a smaller one: how long it takes is not the point.
  ['fixtures/', 'fixtures/kodim23.png', 'fixtures/house-253x191.png'],
  ['photos', 'photos/more/b.png', 'fixtures/water-32x32.png'],
  ['folder/', 'folder/c.png', 'fixtures/water-32x32.png'],
  ['out/', 'out/d.png', 'fixtures/water-32x32.png'],
  ['mine.cnfm', 'mine.cnfm', 'models/fast.cnfm'],
];

let folder: string;
let environment: NodeJS.ProcessEnv;

const shell = (command: string, cwd: string) => {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { cwd, env: environment, encoding: 'utf8' });
  return { status, stdout, stderr };
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  writeFileSync(join(programs, 'cnfzip'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  // In a checkout npx runs its own program.
  writeFileSync(join(programs, 'npx'), '#!/bin/sh\nexec "$@"\n');
  for (const name of ['cnfzip', 'npx']) chmodSync(join(programs, name), 0o755);
  environment = { ...process.env, PATH: `${programs}:${process.env.PATH}`, LC_ALL: 'C' };
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('commands', () => {
  test('are shown', () => expect(commands.length).toBeGreaterThan(25));

  const runnable = commands.filter(({ command }) => !LOOKED_UP.test(command));
  const unique = [...new Map(runnable.map((shown) => [shown.command, shown])).values()];

  test.each(unique)(
    '$page: $command',
    ({ command }) => {
      const place = mkdtempSync(join(folder, 'place-'));
      for (const [, path, from] of NAMED.filter(([name]) => command.includes(name))) {
        mkdirSync(dirname(join(place, path)), { recursive: true });
        copyFileSync(root(from), join(place, path));
      }
      // What earlier commands of the same page leave.
      if (/bulk (status|verify|decompress)/.test(command)) shell('cnfzip bulk compress photos --to small', place);
      const { status, stderr } = shell(command, place);
      expect(stderr.split('\n').filter((line) => /^cnfzip: /.test(line))).toEqual([]);
      expect(status, stderr).toBe(0);
    },
    120_000,
  );

  const looked = commands.filter(({ command }) => LOOKED_UP.test(command));

  test.each(looked)('$page: $command exists, with its options', ({ command }) => {
    const words = command.split(/\s+/).filter((word) => !/^[A-Z_]+=/.test(word));
    const options = words.flatMap((word) => /^--?[a-z][a-z-]*/i.exec(word)?.[0] ?? []).filter((word) => word !== '--');
    const script = /^npm (?:run )?([\w:]+)/.exec(command)?.[1];
    if (script && Object.hasOwn(scripts, script)) {
      const program = /^node (dist\/\S+\.js)/.exec(scripts[script])?.[1];
      if (options.length === 0 || !program) return;
      const sub = command.split(' -- ')[1]?.match(/^[a-z]+\b(?!\/)/)?.[0];
      const own = sub && sub !== 'photo' && script === 'cifar10' ? [sub] : [];
      expectOptions(
        spawnSync(process.execPath, [root(program), ...own, '--help'], { encoding: 'utf8' }).stdout,
        options,
      );
      return;
    }
    const own = /(?:^|npx )cnfzip (web|train|lab run)/.exec(command)?.[1];
    if (own) expectOptions(shell(`cnfzip ${own} --help`, folder).stdout, options);
    else expect(command).toMatch(/^(npm (ci|i|pack)|npx vitest|tar)\b/);
  });

  function expectOptions(help: string, options: readonly string[]): void {
    expect(help).toContain('Usage:');
    for (const option of options) expect(help).toMatch(new RegExp(`(^|[\\s,])${option}\\b`, 'm'));
  }
});

describe('sessions', () => {
  const sessions = pages.flatMap((page) => blocks(page, 'console').map((session) => ({ page, session })));

  test('are shown', () => expect(sessions.length).toBeGreaterThan(0));

  test.each(sessions)(
    'of $page',
    ({ session }) => {
      const place = mkdtempSync(join(folder, 'session-'));
      mkdirSync(join(place, 'fixtures'));
      for (const name of readdirSync(root('fixtures')).filter((file) => file.endsWith('.png'))) {
        copyFileSync(root(`fixtures/${name}`), join(place, 'fixtures', name));
      }
      const typed = [...session.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line);
      const script = typed.map((line) => `echo '$ ${line}'; ${line}`).join('\n');
      const { stdout } = shell(`exec 2>&1\n${script}`, place);
      const words = (text: string) =>
        text
          .replace(/\b[0-9a-f]{16}\b/g, 'HASH')
          .replace(/\d[\d,.]*/g, 'N')
          .replace(/\n+/g, '\n')
          .trim();
      expect(words(stdout)).toBe(words(session));
    },
    240_000,
  );
});

describe('links', () => {
  const links = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) =>
      /^[a-z]+:|^#/.test(target) ? [] : [{ page, path: join(dirname(page), target.replace(/#.*/, '')) }],
    ),
  );

  test.each(links)('$page leads to $path', ({ path }) => expect(existsSync(root(path))).toBe(true));

  // What is in docs/, too, links to the same places.
  test.each(links)('the package holds $path, to which $page leads', ({ path }) => {
    const held = ['README.md', 'LICENSE', ...files];
    expect(held.some((entry) => path === entry || path.startsWith(`${entry}/`))).toBe(true);
  });
});

test('README is read to its end in four minutes', () => {
  expect(read('README.md').split(/\s+/).length).toBeLessThan(900);
});
