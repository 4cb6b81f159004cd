/** Gives the codec libwebp's WebAssembly modules from their package: Node cannot fetch them by their address. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { provideWebp } from '../codec/layers/webp.js';

const { resolve } = createRequire(import.meta.url);

const compile = async (file: string) => WebAssembly.compile(await readFile(resolve(`@jsquash/webp/codec/${file}`)));

provideWebp({
  encoder: () => compile('enc/webp_enc.wasm'),
  decoder: () => compile('dec/webp_dec.wasm'),
});
