/**
 * `npm run test:bundlers`: the packed package as others use it. Small apps are bundled and run in Chromium, and its types are checked as
 * each kind of project resolves them.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeImage } from '../../codec/codec.js';
import type { Image } from '../../codec/image.js';
import { findChromium } from '../../src/engines/engine.js';
import { decodePng, encode, info } from '../../src/index.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const chromium = findChromium();

/** Bundlers and compilers take minutes on a slow machine. */
const asked = process.env.TEST_BUNDLERS === 'all';

/** What the apps compress: by the flow, and by WebP. */
const NOISE = { width: 40, height: 30, channels: 3, samples: [...Array(3600).keys()].map((i) => (i * 7919) % 251) };
const STRIPES = {
  width: 90,
  height: 80,
  channels: 3,
  samples: [...Array(21600).keys()].map((i) => 40 * ((i >> 5) % 5)),
};

const APP = `
import { compress, decompress } from 'cnfzip/browser';
import { decodeImage, encodeImage } from 'cnfzip/codec';

const image = ({ samples, ...size }) => ({ ...size, samples: Uint8Array.from(samples) });
const [noise, stripes] = [image(${JSON.stringify(NOISE)}), image(${JSON.stringify(STRIPES)})];

async function run() {
  const byFlow = await compress(noise, { model: 'fast' });
  const byWebp = await compress(stripes, { model: 'fast' });
  const inPage = await encodeImage(stripes, []);
  return {
    byFlow: [...byFlow],
    png: [...(await decompress(byFlow)).bytes],
    byWebp: [...byWebp],
    inPage: [...inPage],
    samples: [...(await decodeImage(inPage, [])).samples],
  };
}
run().then((result) => Object.assign(globalThis, { result }), ({ stack }) => Object.assign(globalThis, { result: stack }));
`;

let app: string;
const packed = () => join(app, 'node_modules/cnfzip');

/** The package as npm would install it, from the tarball; its dependencies are those of this checkout. */
beforeAll(() => {
  if (!asked) return;
  app = mkdtempSync(join(tmpdir(), 'cnfzip-app-'));
  const npm = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', app], { cwd: ROOT });
  const [{ filename }] = JSON.parse(npm.stdout.toString());
  mkdirSync(packed(), { recursive: true });
  spawnSync('tar', ['-xzf', filename, '-C', packed(), '--strip-components', '1'], { cwd: app });
  for (const name of ['fflate', 'commander', '@jsquash', 'wasm-feature-detect', '@types']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  }
  writeFileSync(join(app, 'package.json'), '{"type": "module"}');
  writeFileSync(join(app, 'main.js'), APP);
  writeFileSync(join(app, 'index.html'), '<!doctype html><script type="module" src="main.js"></script>');
});

afterAll(() => app && rmSync(app, { recursive: true, force: true }));

describe.skipIf(!asked || !chromium)('an app', () => {
  test('that Vite bundles', async () => {
    const { build } = await import('vite');
    await build({ root: app, configFile: false, logLevel: 'error', build: { outDir: 'vite' } });
    await check(await runIn(join(app, 'vite')));
  });

  test('that Rolldown bundles, with cnfzip/browser left as it is', async () => {
    const out = join(app, 'rolldown');
    const { rolldown } = await import('rolldown');
    const bundle = await rolldown({
      ...{ input: join(app, 'main.js'), cwd: app, platform: 'browser', external: ['cnfzip/browser'] },
    });
    await bundle.write({ dir: out, format: 'es' });
    await bundle.close();
    await check(await runWithMap(out));
  });

  test('that esbuild bundles, with cnfzip/browser left as it is', async () => {
    const out = join(app, 'esbuild');
    const { build } = await import('esbuild');
    await build({
      ...{ entryPoints: ['main.js'], absWorkingDir: app, outdir: out, logLevel: 'error' },
      ...{ bundle: true, format: 'esm', platform: 'browser', external: ['cnfzip/browser'] },
    });
    await check(await runWithMap(out));
  });
});

/** Runs a bundled app with the package's own files beside it, which an import map finds, and libwebp's, which `cnfzip/codec` fetches. */
function runWithMap(folder: string): Promise<Result | string> {
  for (const name of ['browser/bundle', 'models']) {
    cpSync(join(packed(), 'dist', name), join(folder, 'cnfzip/dist', name), { recursive: true });
  }
  const { resolve } = createRequire(join(packed(), 'dist/'));
  for (const file of ['enc/webp_enc', 'dec/webp_dec']) {
    cpSync(resolve(`@jsquash/webp/codec/${file}.wasm`), join(folder, `${file.slice(4)}.wasm`));
  }
  const map = { imports: { 'cnfzip/browser': '/cnfzip/dist/browser/bundle/index.js' } };
  const page = readFileSync(join(app, 'index.html'), 'utf8');
  writeFileSync(
    join(folder, 'index.html'),
    page.replace('<script', `<script type="importmap">${JSON.stringify(map)}</script><script`),
  );
  return runIn(folder);
}

interface Result {
  readonly byFlow: number[];
  readonly png: number[];
  readonly byWebp: number[];
  readonly inPage: number[];
  readonly samples: number[];
}

async function check(result: Result | string): Promise<void> {
  if (typeof result === 'string') throw new Error(result);
  const image = ({ samples, ...size }: typeof NOISE) => ({ ...size, samples: Uint8Array.from(samples) }) as Image;
  expect(result.byFlow).toEqual([...(await encode(image(NOISE), { model: 'fast' }))]);
  expect([...decodePng(Uint8Array.from(result.png)).samples]).toEqual(NOISE.samples);
  const byWebp = await encode(image(STRIPES), { model: 'fast' });
  expect(info(byWebp).layers[0].method).toBe('webp');
  expect(result.byWebp).toEqual([...byWebp]);
  expect(result.inPage).toEqual([...(await encodeImage(image(STRIPES), []))]);
  expect(result.samples).toEqual(STRIPES.samples);
}

/** Opens the page of a folder in Chromium, and waits for the app's result. */
async function runIn(folder: string): Promise<Result | string> {
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://127.0.0.1');
    const file = join(folder, pathname === '/' ? 'index.html' : pathname);
    try {
      const content = readFileSync(file);
      response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
      response.end(content);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  const browser = await puppeteer.launch({ executablePath: chromium, args });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const found = await page.waitForFunction(() => (globalThis as { result?: Result | string }).result, {
      timeout: 120_000,
    });
    return (await found.jsonValue())!;
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** What a compilation without errors ends with. */
const GOOD = { status: 0, errors: '' };

const TYPED = `
import { decode, encode, readImage, type FileInfo, info } from 'cnfzip';
import { compress, decompress } from 'cnfzip/browser';
import { decodeImage, encodeImage, parseModel } from 'cnfzip/codec';

export async function use(file: File): Promise<Blob[]> {
  const bytes = await encode(await readImage('photo.png'));
  const about: FileInfo = info(bytes);
  const image = await decode(bytes);
  const again = await encodeImage(image, [await parseModel(bytes)]);
  const { samples } = await decodeImage(again, []);
  const small = await compress(file, { model: 'fast', onProgress: (part: number) => console.log(part, about.width) });
  const { bytes: png, type } = await decompress(small);
  return [new Blob([bytes]), new Blob([small]), new Blob([png], { type }), new Blob([String(samples.length)])];
}
`;

describe.skipIf(!asked)('types', () => {
  const compile = (file: string, text: string, ...options: string[]) => {
    writeFileSync(join(app, file), text);
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--types', 'node'];
    const args = [tsc, ...strict, '--lib', 'es2022,dom,dom.asynciterable', ...options, file];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: app });
    return { status, errors: stdout.toString() };
  };

  test.each([
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('module %s, resolved as by %s', (module, moduleResolution) => {
    expect(compile('typed.ts', TYPED, '--module', module, '--moduleResolution', moduleResolution)).toEqual(GOOD);
  });

  test.each(['node16', 'node20', 'nodenext'])('of a CommonJS module, module %s', (module) => {
    const text = `
import cnfzip = require('cnfzip');
import codec = require('cnfzip/codec');
import { compress } from 'cnfzip/browser';
import { CnfzipError, type EncodeOptions, encode } from 'cnfzip';
export const use = async (bytes: Uint8Array) => new Blob([await cnfzip.encode(await codec.decodeImage(bytes, []))]);
export const code = (error: unknown): string => (error instanceof CnfzipError ? error.code : 'none');
export const small = async (file: File, options: EncodeOptions) => [
  await compress(file),
  await encode(await cnfzip.decode(await compress(file)), options),
];
`;
    expect(compile('typed.cts', text, '--module', module)).toEqual(GOOD);
    // The types are those of the package, and no `any`.
    const wrong = "import { encode } from 'cnfzip';\nexport const bytes: Promise<string> = encode('photo.png');\n";
    const { errors } = compile('wrong.cts', wrong, '--module', module);
    expect(errors).toMatch(/wrong\.cts\(2,14\): error TS2322[\s\S]*wrong\.cts\(2,46\): error TS2345/);
  });
});

/** Node 20.19 and 22.12 are the first that require ES modules as they are. */
const [major, minor] = process.versions.node.split('.').map(Number);
const requires = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);

test.skipIf(!asked || !requires)('a CommonJS module requires it', () => {
  const script = `
    const { encode, decode } = require('cnfzip');
    const image = { width: 20, height: 10, channels: 1, samples: Uint8Array.from({ length: 200 }, (_, i) => i) };
    encode(image).then(decode).then(({ samples }) => console.log(Buffer.compare(samples, image.samples)));
  `;
  writeFileSync(join(app, 'required.cjs'), script);
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', 'required.cjs'], { cwd: app });
  expect({ stdout: stdout.toString(), stderr: stderr.toString() }).toEqual({ stdout: '0\n', stderr: '' });
});
