// Between model files and the arrays that the Python programs read and write; see README.md. Needs the build in dist.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Likelihood } from '../../../dist/codec/flow/likelihood.js';
import { parseModel, serializeModel } from '../../../dist/codec/flow/model.js';
import { TEXTURE_LEVELS } from '../../../dist/codec/flow/texture.js';
import { Kernels } from '../../../dist/codec/kernels/kernels.js';
import { headLayout, modelParameters } from '../../../dist/models/definition.js';
import { cropShape, listImages, validationCrops } from '../../../dist/src/train/dataset.js';

const CROPS = 4;

const actions = {
  /** A model's layout, and its weights. */
  async unpack(file, folder) {
    const { definition, rates, weights } = await parseModel(readFileSync(file));
    const target = join(folder, basename(file, '.cnfm'));
    const layout = {
      definition,
      rates,
      parameters: modelParameters(definition).all,
      head: headLayout(definition),
      constants: await constants(),
      textureLevels: TEXTURE_LEVELS,
    };
    writeFileSync(`${target}.json`, JSON.stringify(layout));
    writeFileSync(`${target}.f32`, bytes(weights));
  },

  /** A model file of a layout and weights. */
  async pack(layout, values, out) {
    const { definition, rates } = JSON.parse(readFileSync(layout, 'utf8'));
    const weights = new Float32Array(new Uint8Array(readFileSync(values)).buffer);
    const model = serializeModel({ name: basename(out, '.cnfm'), definition, rates, weights });
    await parseModel(model);
    writeFileSync(out, model);
  },

  /** What the kernels say of a few crops: samples, loss and gradient. */
  async reference(file, images, folder) {
    const { definition, weights } = await parseModel(readFileSync(file));
    const all = await validationCrops(await listImages([images]), definition.channels, console.error);
    const crops = all.filter(({ side }) => side === all[0].side).slice(0, CROPS);
    const likelihood = await Likelihood.create(definition);
    likelihood.load(weights);
    const nats = crops.reduce((sum, crop) => sum + likelihood.evaluate(crop.samples, cropShape(crop), true), 0);
    const target = join(folder, basename(file, '.cnfm'));
    writeFileSync(`${target}.reference.json`, JSON.stringify({ side: crops[0].side, nats }));
    writeFileSync(`${target}.samples.i32`, Buffer.concat(crops.map(({ samples }) => bytes(samples))));
    writeFileSync(`${target}.gradient.f32`, bytes(likelihood.gradient()));
  },
};

/** The kernels' constants at 8 bits, by their names. */
async function constants() {
  const { run } = await Kernels.create();
  run.depthOpen(8);
  const globals = Object.entries(run).filter(([, value]) => value instanceof WebAssembly.Global);
  return Object.fromEntries(globals.map(([name, { value }]) => [name, value]));
}

function bytes({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const [action, ...paths] = process.argv.slice(2);
if (Object.hasOwn(actions, action ?? '') && paths.length === actions[action].length) {
  await actions[action](...paths);
} else {
  process.stderr.write('pack.mjs: unpack MODEL FOLDER, pack LAYOUT WEIGHTS MODEL, or reference MODEL IMAGES FOLDER\n');
  process.exitCode = 1;
}
