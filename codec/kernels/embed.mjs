// Embeds the compiled kernels as a TypeScript module: the same import works in Node, in browsers and under test runners.
import { readFileSync, writeFileSync } from 'node:fs';

const base64 = readFileSync(new URL('build/kernels.wasm', import.meta.url)).toString('base64');
writeFileSync(new URL('build/binary.ts', import.meta.url), `export const KERNELS_BASE64 =\n  '${base64}';\n`);
