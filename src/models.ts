/** The models that are shipped with cnfzip, and models in files of their own. */
import { fileURLToPath } from 'node:url';
import { CnfzipError } from '../codec/error.js';
import { type Model, parseModel } from '../codec/flow/model.js';
import type { Channels } from '../codec/image.js';
import { filesBelow } from './io/files/folders.js';
import { readInput } from './io/files/read.js';

/** The shipped model for colour that is used when none is named. */
const DEFAULT = 'default';

/** The shipped model that codes gray images and alpha, whichever of those for colour is named. */
const GRAY = 'gray';

const SUFFIX = '.cnfm';
const FOLDER = fileURLToPath(new URL('../models/', import.meta.url));

const shipped = new Map<string, Promise<Model>>();

/**
 * Reads a model from its file.
 *
 * @throws CnfzipError `file` if it cannot be read, `bad-model` if it is no model or is damaged
 * @example
 * ```js
 * import { encode, loadModel, readImage } from 'cnfzip';
 *
 * const model = await loadModel('mine.cnfm');
 * const bytes = await encode(await readImage('photo.png'), { model });
 * console.log(bytes.length);
 * ```
 */
export async function loadModel(path: string): Promise<Model> {
  if (typeof path !== 'string') throw new CnfzipError('usage', 'the path of a model must be a string');
  try {
    return await parseModel(await readInput(path));
  } catch (error) {
    if (error instanceof CnfzipError)
      throw new CnfzipError(error.code, `model ${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * The models to encode an image with: one for colour, or gray, and one for alpha, which is coded as gray.
 *
 * @param channels of the image
 * @param choice a model; the path of a model's file, recognised by its `.cnfm` or a slash; or the name of a shipped model.
 *   What it cannot code, having another number of channels, takes the shipped default.
 * @throws CnfzipError `unknown-model`, `file` or `bad-model`
 */
export async function modelsForEncoding(channels: Channels, choice: Model | string = DEFAULT): Promise<Model[]> {
  const chosen = await findModel(choice);
  const needed = [...(channels >= 3 ? [3] : []), ...(channels === 3 ? [] : [1])];
  return Promise.all(
    needed.map((count) => {
      return chosen.definition.channels === count ? chosen : shippedModel(count === 1 ? GRAY : DEFAULT);
    }),
  );
}

async function findModel(choice: Model | string): Promise<Model> {
  if (typeof choice !== 'string') return choice;
  if (isPath(choice)) return loadModel(choice);
  const names = await shippedNames();
  if (names.includes(choice)) return shippedModel(choice);
  throw new CnfzipError('unknown-model', `there is no model ${choice}; shipped are: ${names.join(', ') || 'none'}`);
}

/**
 * The model that a file names by its hash.
 *
 * @param choice a model or the path of its file, looked at before the shipped ones, which need no naming
 * @throws CnfzipError `unknown-model` if no model has this hash, `file` or `bad-model`
 */
export async function modelForDecoding(hash: string, choice?: Model | string): Promise<Model> {
  if (choice !== undefined) {
    const model = await findModel(choice);
    if (model.hash === hash) return model;
  }
  const found = await findShipped(hash);
  if (found) return found;
  throw new CnfzipError(
    'unknown-model',
    choice === undefined
      ? `needs the model ${hash}, which is not shipped with this cnfzip: name its file (option model)`
      : `needs the model ${hash}, which is neither the given one nor shipped with this cnfzip`,
  );
}

/** The shipped model with this hash, if there is one. */
export async function findShipped(hash: string): Promise<Model | undefined> {
  for (const name of await shippedNames()) {
    const model = await shippedModel(name);
    if (model.hash === hash) return model;
  }
  return undefined;
}

function isPath(choice: string): boolean {
  return choice.endsWith(SUFFIX) || /[/\\]/.test(choice);
}

/** The names of the shipped models, in alphabetical order. */
export async function shippedNames(): Promise<string[]> {
  return (await filesBelow(FOLDER, [SUFFIX])).map((file) => file.slice(0, -SUFFIX.length));
}

function shippedModel(name: string): Promise<Model> {
  let model = shipped.get(name);
  if (!model) {
    model = loadModel(FOLDER + name + SUFFIX);
    shipped.set(name, model);
  }
  return model;
}
