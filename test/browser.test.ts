import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { expect, test } from 'vitest';

/** A Chromium or Chrome, for `npm run test:browser`. */
const { BROWSER } = process.env;
const FIXTURES = ['red-door-128x96', 'gray-boat-531x60', 'water-32x32', 'gray-tiny-3x5'];
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** What a bundler would find for the bare names of the codec's imports. */
const IMPORTS = {
  fflate: '/node_modules/fflate/esm/browser.js',
  '@jsquash/webp/': '/node_modules/@jsquash/webp/',
};

/** Decodes and encodes fixtures, and sends home which of them gave the same bytes. */
const PAGE = `<!doctype html>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module">
const get = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
const report = [];
try {
  const { decodeImage, encodeImage, parseModel } = await import('/dist/codec/index.js');
  const models = [await parseModel(await get('/models/default.cnfm')), await parseModel(await get('/models/gray.cnfm'))];
  for (const name of ${JSON.stringify(FIXTURES)}) {
    const file = await get('/fixtures/' + name + '.cnfz');
    const again = await encodeImage(await decodeImage(file, models), models);
    report.push(name + ' ' + (String(again) === String(file)));
  }
} catch (error) {
  report.push(error.stack);
}
await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
</script>`;

test.skipIf(!BROWSER)(
  'a browser decodes and encodes to the same bytes',
  async () => {
    const profile = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
    let browser: ChildProcess | undefined;
    let close = () => {};
    const report = await new Promise<string[]>((resolve) => {
      const server = createServer(async (request, response) => {
        const path = new URL(request.url!, 'http://localhost').pathname;
        if (path === '/report') {
          resolve(JSON.parse(Buffer.concat(await request.toArray()).toString()));
        } else if (path === '/') {
          response.setHeader('content-type', 'text/html');
          response.write(PAGE);
        } else {
          try {
            response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
            response.write(readFileSync(new URL(`..${path}`, import.meta.url)));
          } catch {
            response.statusCode = 404;
          }
        }
        response.end();
      }).listen(0, () => {
        const address = `http://localhost:${(server.address() as AddressInfo).port}/`;
        const options = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`];
        browser = execFile(BROWSER!, [...options, address], () => {});
        close = () => {
          server.closeAllConnections();
          server.close();
        };
      });
    });
    close();
    await new Promise((resolve) => {
      browser!.on('exit', resolve);
      browser!.kill();
    });
    rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
    expect(report).toEqual(FIXTURES.map((name) => `${name} true`));
  },
  60_000,
);
