// From a model file to what train.py reads, and from what it wrote to a model file:
//   node src/train/torch/pack.mjs unpack models/fast.cnfm FOLDER     writes fast.json (definition and parameters) and fast.f32
//   node src/train/torch/pack.mjs pack FOLDER/fast.json FOLDER/out/fast.f32 fast.cnfm
// Needs the build in dist.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseModel, serializeModel } from '../../../dist/codec/flow/model.js';
import { modelParameters } from '../../../dist/models/definition.js';

const [action, ...paths] = process.argv.slice(2);
if (action === 'unpack' && paths.length === 2) {
  const [file, folder] = paths;
  const { definition, weights } = await parseModel(readFileSync(file));
  const target = join(folder, basename(file, '.cnfm'));
  writeFileSync(`${target}.json`, JSON.stringify({ definition, parameters: modelParameters(definition).all }));
  writeFileSync(`${target}.f32`, new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength));
} else if (action === 'pack' && paths.length === 3) {
  const [layout, values, out] = paths;
  const { definition } = JSON.parse(readFileSync(layout, 'utf8'));
  const weights = new Float32Array(new Uint8Array(readFileSync(values)).buffer);
  const bytes = serializeModel(basename(out, '.cnfm'), definition, weights);
  await parseModel(bytes);
  writeFileSync(out, bytes);
} else {
  process.stderr.write('pack.mjs: unpack MODEL FOLDER, or pack LAYOUT WEIGHTS MODEL\n');
  process.exitCode = 1;
}
