// Builds the page from the compiled modules, and the service worker that knows its files.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { zlibForBrowsers } from '../browser/zlib-for-browsers.mjs';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const OUT = path('../../dist/web/');

await build({
  root: path('.'),
  base: './',
  configFile: false,
  logLevel: 'warn',
  plugins: [zlibForBrowsers],
  worker: { format: 'es', plugins: () => [zlibForBrowsers] },
  build: { outDir: OUT, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});

const files = readdirSync(OUT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== 'service-worker.js')
  .map((entry) => relative(OUT, join(entry.parentPath, entry.name)))
  .sort();
const hash = createHash('sha256');
for (const file of files) hash.update(file).update(readFileSync(join(OUT, file)));
const worker = readFileSync(path('service-worker.js'), 'utf8')
  .replace('__VERSION__', hash.digest('hex').slice(0, 16))
  .replace('__FILES__', JSON.stringify(['./', ...files]));
writeFileSync(join(OUT, 'service-worker.js'), worker);
