/** `npm run bench:flat -- FILE...`: how long the flat decoder takes for `.cnfz` files, and the JavaScript one in the same process. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { Command } from 'commander';
import { decodeImage } from '../../codec/codec.js';
import { sameValues } from '../../codec/image.js';
import { info } from '../../codec/info.js';
import { FlatDecoder } from '../flat/host.js';
import { modelForDecoding } from '../session/models.js';
import '../session/webp.js';

const TIMES = 5;

const { resolve } = createRequire(import.meta.url);
const module = readFileSync(resolve('cnfzip/flat/cnfzip.wasm'));

/** Milliseconds of the fastest of some times. */
async function fastest<T>(work: () => T | Promise<T>): Promise<{ made: T; time: number }> {
  let best: { made: T; time: number } | undefined;
  for (let i = 0; i < TIMES; i++) {
    const from = performance.now();
    const made = await work();
    const time = performance.now() - from;
    if (!best || time < best.time) best = { made, time };
  }
  return best!;
}

await new Command('bench:flat')
  .description(
    'Size of the flat decoder, and its time for each file beside that of the JavaScript decoder: one thread each.',
  )
  .argument('<file...>', 'files coded by shipped models')
  .action(async (files: string[]) => {
    console.log(`cnfzip.wasm: ${module.length} bytes, ${gzipSync(module, { level: 9 }).length} by gzip`);
    for (const name of files) {
      const file = readFileSync(name);
      const hashes = info(file).layers.flatMap(({ modelHash }) => modelHash ?? []);
      const models = await Promise.all(hashes.map((hash) => modelForDecoding(hash)));
      const flat = await FlatDecoder.create(module);
      for (const { name } of models) flat.addModel(readFileSync(resolve(`cnfzip/models/${name}.cnfm`)));
      const own = await fastest(() => {
        flat.open(file);
        return flat.decode();
      });
      const other = await fastest(() => decodeImage(file, models));
      if (!sameValues(own.made.samples, other.made.samples)) throw new Error(`${name}: the decoders differ`);
      const ratio = (own.time / other.time).toFixed(2);
      console.log(
        `${name}: flat ${own.time.toFixed(0)} ms, JavaScript ${other.time.toFixed(0)} ms: ${ratio} of its time`,
      );
    }
  })
  .parseAsync();
