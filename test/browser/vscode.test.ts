/** The extension for Visual Studio Code: what is in its package, and what its editor shows, in Chromium and a host that is made here. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { unzipSync } from 'fflate';
import puppeteer, { type Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../../src/engines/engine.js';
import { readImage } from '../../src/index.js';
import { expand } from '../../src/io/expand.js';
import { fixture } from '../paths.js';

const root = (path: string) => new URL(`../../${path}`, import.meta.url);
const chromium = findChromium();

let files: Record<string, Uint8Array>;

beforeAll(() => {
  execFileSync(process.execPath, ['src/vscode/build.mjs'], { cwd: root('') });
  files = unzipSync(readFileSync(root('dist/vscode/cnfzip.vsix')));
});

const text = (name: string) => new TextDecoder().decode(files[name]);

it('has what a package needs, and all files that it names', () => {
  const manifest = JSON.parse(text('extension/package.json'));
  const { version } = JSON.parse(readFileSync(root('package.json'), 'utf8'));
  expect(manifest).toMatchObject({ name: 'cnfzip', version, publisher: 'cnfzip' });
  expect(files).toHaveProperty([new URL(manifest.main, 'file:///extension/').pathname.slice(1)]);
  expect(text('extension.vsixmanifest')).toContain(`Id="cnfzip" Version="${version}" Publisher="cnfzip"`);
  for (const name of Object.keys(files).filter((file) => file.startsWith('extension'))) {
    expect(text('[Content_Types].xml')).toContain(`Extension="${extname(name).slice(1)}"`);
  }
});

describe.skipIf(!chromium)('in Chromium', () => {
  let browser: Browser;
  let server: Server;
  let origin: string;
  let html = '';

  beforeAll(async () => {
    browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css' };
    server = createServer(({ url }, response) => {
      const body = url === '/' ? html : files[url!.slice(1)];
      response.statusCode = body ? 200 : 404;
      response.setHeader('content-type', url === '/' ? 'text/html' : (types[extname(url!)] ?? 'application/wasm'));
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  /** Opens a file as Visual Studio Code does: what the page then is, and its pixels. */
  async function open(path: string) {
    const host = {
      Uri: { joinPath: (base: string, part: string) => `${base}/${part}` },
      workspace: { fs: { readFile: async (uri: string) => readFileSync(uri) } },
      window: {
        registerCustomEditorProvider: (type: string, found: unknown) => {
          expect(type).toBe(JSON.parse(text('extension/package.json')).contributes.customEditors[0].viewType);
          provider = found as Provider;
        },
      },
    };
    let provider: Provider | undefined;
    const module = { exports: {} as { activate(context: object): void } };
    new Function('require', 'module', 'exports', text('extension/extension.js'))(() => host, module, module.exports);
    module.exports.activate({ extensionUri: 'extension', subscriptions: [] });
    const page = await browser.newPage();
    let hear: (message: unknown) => unknown = () => {};
    const webview = {
      options: {},
      html: '',
      cspSource: origin,
      asWebviewUri: (uri: string) => `${origin}/${uri}`,
      onDidReceiveMessage: (listener: typeof hear) => {
        hear = listener;
      },
      postMessage: (given: { bytes?: Uint8Array; failure?: string }) =>
        page.evaluate(
          ({ bytes, ...rest }) => window.postMessage(bytes ? { bytes: Uint8Array.from(bytes) } : rest, '*'),
          { ...given, bytes: given.bytes && [...given.bytes] },
        ),
    };
    provider!.resolveCustomEditor({ uri: path }, { webview });
    html = webview.html;
    await page.exposeFunction('toHost', (message: unknown) => hear(message));
    await page.evaluateOnNewDocument(() => {
      const scope = globalThis as unknown as Record<string, unknown>;
      scope.acquireVsCodeApi = () => ({ postMessage: scope.toHost });
    });
    await page.goto(`${origin}/`);
    await page.waitForFunction(() => document.body.dataset.state !== undefined);
    const found = await page.evaluate(() => {
      const canvas = document.querySelector('canvas')!;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return {
        state: document.body.dataset.state,
        facts: document.querySelector('#facts')!.textContent,
        data: [...data],
      };
    });
    await page.close();
    return found;
  }

  interface Provider {
    resolveCustomEditor(document: { uri: string }, panel: { webview: object }): void;
  }

  it.each(['red-door-128x96', 'gray-boat-531x60', 'palette-32x32'])('shows every pixel of %s', async (name) => {
    const { state, facts, data } = await open(fixture(`${name}.cnfz`));
    expect(facts).toMatch(/^\d+ × \d+, [\d,]+ bytes, [\d.]+ bits per sample$/);
    expect(state).toBe('shown');
    const { channels, samples } = expand(await readImage(fixture(`${name}.png`)));
    const wanted = [...Array(data.length / 4).keys()].flatMap((pixel) => {
      const at = pixel * channels;
      const colour = [0, 1, 2].map((c) => samples[at + (channels < 3 ? 0 : c)]);
      const alpha = channels % 2 === 0 ? samples[at + channels - 1] : 255;
      // A canvas keeps no colour of what is transparent.
      return alpha === 0 ? [0, 0, 0, 0] : [...colour, alpha];
    });
    expect(data).toEqual(wanted);
  });

  it('says what is wrong', async () => {
    expect(await open(fixture('red-door-128x96.png'))).toMatchObject({
      state: 'failed',
      facts: expect.stringContaining('not a'),
    });
    expect(await open(fixture('missing.cnfz'))).toMatchObject({
      state: 'failed',
      facts: expect.stringContaining('ENOENT'),
    });
  });
});
