// Between model files and the arrays that the Python programs read and write; see README.md. Needs the build in dist.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Likelihood } from '../../../dist/codec/flow/likelihood.js';
import { parseModel, serializeModel } from '../../../dist/codec/flow/model.js';
import { TEXTURE_LEVELS } from '../../../dist/codec/flow/texture.js';
import { Kernels } from '../../../dist/codec/kernels/kernels.js';
import { headLayout, modelParameters } from '../../../dist/models/definition.js';
import { DEFINITIONS } from '../../../dist/models/shipped.js';
import { cropShape, listImages, validationCrops } from '../../../dist/src/train/dataset.js';
import { initialize } from '../../../dist/src/train/initialize.js';

const CROPS = 4;
const SEED = 1;

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

  /** A model file of a shipped model's definition, wider or with more blocks, that computes what a narrower one does. */
  async grow(file, name, out) {
    const { definition: narrow, rates, weights } = await parseModel(readFileSync(file));
    const definition = DEFINITIONS[name];
    const grown = grownWeights({ narrow, weights, definition });
    writeFileSync(out, serializeModel({ name: basename(out, '.cnfm'), definition, rates, weights: grown }));
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

/** Old weights where they were, zeros from what is new to what was there, and random ones to what is new (Chen et al. 2016, Net2Net). */
function grownWeights({ narrow, weights, definition }) {
  const grown = initialize(definition, SEED);
  const before = new Map(modelParameters(narrow).all.map((parameter) => [parameter.name, parameter]));
  for (const { name, shape, offset, size } of modelParameters(definition).all) {
    const old = before.get(name);
    const inputs = shape.at(-2);
    const outputs = shape.at(-1);
    if (!old) {
      // A block more, which adds nothing yet.
      if (name.includes('.project.')) grown.fill(0, offset, offset + size);
      continue;
    }
    const oldInputs = old.shape.at(-2);
    const oldOutputs = old.shape.at(-1);
    for (let i = 0; i < size; i++) {
      const output = i % outputs;
      if (output >= oldOutputs) continue;
      const row = Math.floor(i / outputs);
      const input = row % (inputs ?? 1);
      const kept = input < (oldInputs ?? 1);
      const oldRow = Math.floor(row / (inputs ?? 1)) * (oldInputs ?? 1) + input;
      grown[offset + i] = kept ? weights[old.offset + oldRow * oldOutputs + output] : 0;
    }
  }
  return grown;
}

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
  process.stderr.write(
    'pack.mjs: unpack MODEL FOLDER, grow MODEL NAME NEW, pack LAYOUT WEIGHTS MODEL, or reference MODEL IMAGES FOLDER\n',
  );
  process.exitCode = 1;
}
