/** Gives the codec libwebp's WebAssembly modules from their package: Node cannot fetch them by their address. */
import { createRequire } from 'node:module';
import { provideWebp } from '../../codec/layers/webp.js';
import { readInput } from '../io/files/read.js';

const { resolve } = createRequire(import.meta.url);

const compile = async (file: string) => WebAssembly.compile(await readInput(resolve(`@jsquash/webp/codec/${file}`)));

provideWebp({
  encoder: () => compile('enc/webp_enc.wasm'),
  decoder: () => compile('dec/webp_dec.wasm'),
});
