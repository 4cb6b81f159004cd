// Builds `cnfzip/browser` into one module and its worker, which browsers load as they are.
import { copyFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { zlibForBrowsers } from './zlib-for-browsers.mjs';

const { resolve } = createRequire(import.meta.url);
const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const OUT = path('../../dist/browser/bundle/');

// Chunks have other names with each other content.
rmSync(OUT, { recursive: true, force: true });
const bundle = await rolldown({
  input: { index: path('../../dist/src/browser/index.js'), worker: path('../../dist/src/browser/worker.js') },
  platform: 'browser',
  plugins: [zlibForBrowsers],
});
await bundle.write({ dir: OUT, format: 'es', minify: true, chunkFileNames: '[name]-[hash].js' });
await bundle.close();
for (const file of ['enc/webp_enc.wasm', 'dec/webp_dec.wasm']) {
  copyFileSync(resolve(`@jsquash/webp/codec/${file}`), OUT + file.slice(4));
}
