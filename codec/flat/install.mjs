// Puts the flat decoder where programs find it.
import { copyFileSync, mkdirSync } from 'node:fs';

const to = new URL('../../dist/flat/', import.meta.url);
mkdirSync(to, { recursive: true });
copyFileSync(new URL('build/cnfzip.wasm', import.meta.url), new URL('cnfzip.wasm', to));
