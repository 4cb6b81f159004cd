import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { KERNELS_BASE64 } from '../../codec/kernels/build/binary.js';

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Lines that the repository's linter refuses: `file:line`. */
function refused(files: Record<string, readonly string[]>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  try {
    mkdirSync(join(folder, 'codec'));
    for (const file of ['biome.json', '.gitignore', 'codec/exact.grit']) copyFileSync(root(file), join(folder, file));
    for (const [file, lines] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), `${lines.join('\n')}\n`);
    }
    const biome = root('node_modules/@biomejs/biome/bin/biome');
    const args = [biome, 'lint', '--reporter=github', '--max-diagnostics=none'];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder });
    expect(`${stdout}${stderr}`).not.toMatch(/errored|internal/);
    const found = [...stdout.toString().matchAll(/^::error .*?file=(.*?),line=(\d+),/gm)];
    return [
      ...new Set(found.map(([, file, line]) => `${file.slice(file.indexOf(folder) + folder.length + 1)}:${line}`)),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the linter refuses what engines round in their own ways, and all of Node, where bits are decided', () => {
  const exact = 'export const x = Math.max(Math.sqrt(2), Math.floor(2.5), Math.imul(3, 4), Math.clz32(1)) * 3;';
  const free = [
    'export const cube = (x: number) => x ** 3;',
    'export const y = Math.floor(Math.exp(1));',
    'export const { log } = Math;',
    'export const z = globalThis.Math.cos(1);',
    "import { readFile } from 'node:fs'; readFile;",
    "export { crypto } from 'crypto';",
    "export { encode } from '../../../src/index.js';",
    'export const a = Buffer.alloc(1);',
    'export const b = process.env;',
    'let c = 3; export const d = () => { c **= 2; };',
  ];
  const wrong = (file: string) => free.map((_, i) => `${file}:${i + 2}`);
  const lines = [exact, ...free];
  const found = refused({ 'codec/layers/trial.ts': lines, 'models/definition.ts': lines, 'src/io/trial.ts': lines });
  expect(found.sort()).toEqual([...wrong('codec/layers/trial.ts'), ...wrong('models/definition.ts')].sort());
});

test('the kernels ask nothing of their host', async () => {
  const module = await WebAssembly.compile(Buffer.from(KERNELS_BASE64, 'base64'));
  expect(WebAssembly.Module.imports(module)).toEqual([]);
});
