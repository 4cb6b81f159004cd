/** The models that are shipped with cnfzip, and models in files of their own. */
import { fileURLToPath } from 'node:url';
import { CnfzipError } from '../../codec/error.js';
import { type Model, parseModel } from '../../codec/flow/model.js';
import type { Channels } from '../../codec/image.js';
import { once } from '../../codec/once.js';
import { SHIPPED } from '../../models/build/catalogue.js';
import { errorAbout } from '../io/files/errors.js';
import { readInput } from '../io/files/read.js';

/** The shipped model for colour that is used when none is named. */
const DEFAULT = 'default';

/** The shipped model that codes gray images and alpha, whichever of those for colour is named. */
const GRAY = 'gray';

const SUFFIX = '.cnfm';
const FOLDER = fileURLToPath(new URL('../../models/', import.meta.url));

const shippedModel = once((name: string) => loadModel(FOLDER + name + SUFFIX));

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
    throw errorAbout(`model ${path}`, error);
  }
}

/**
 * A choice, checked: a model of one's own is read, a shipped one is named until it is needed.
 *
 * @param choice a model; the path of a model's file, recognised by its `.cnfm` or a slash; or the name of a shipped model
 * @throws CnfzipError `unknown-model`, `file` or `bad-model`
 */
export async function chooseModel(choice: Model | string = DEFAULT): Promise<Model | string> {
  if (typeof choice !== 'string' || Object.hasOwn(SHIPPED, choice)) return choice;
  if (isPath(choice)) return loadModel(choice);
  const names = Object.keys(SHIPPED).join(', ');
  throw new CnfzipError('unknown-model', `there is no model ${choice}; shipped are: ${names || 'none'}`);
}

/**
 * The models to encode an image with: one for colour, or gray, and one for alpha, which is coded as gray.
 *
 * @param channels of the image
 * @param choice as for `chooseModel`. What it cannot code, having another number of channels, takes the shipped default.
 * @throws CnfzipError `unknown-model`, `file` or `bad-model`
 */
export async function modelsForEncoding(channels: Channels, choice?: Model | string): Promise<Model[]> {
  const chosen = await chooseModel(choice);
  const ownChannels = typeof chosen === 'string' ? SHIPPED[chosen].channels : chosen.definition.channels;
  const needed = [...(channels >= 3 ? [3] : []), ...(channels === 3 ? [] : [1])];
  return Promise.all(
    needed.map((count) => {
      const model = ownChannels === count ? chosen : count === 1 ? GRAY : DEFAULT;
      return typeof model === 'string' ? shippedModel(model) : model;
    }),
  );
}

/**
 * The model that a file names by its hash.
 *
 * @param choice as for `chooseModel`: looked at before the shipped ones, which need no naming
 * @throws CnfzipError `unknown-model` if no model has this hash, `file` or `bad-model`
 */
export async function modelForDecoding(hash: string, choice?: Model | string): Promise<Model> {
  const chosen = choice === undefined ? undefined : await chooseModel(choice);
  if (typeof chosen === 'object' && chosen.hash === hash) return chosen;
  const name = shippedName(hash);
  if (name !== undefined) return shippedModel(name);
  throw new CnfzipError(
    'unknown-model',
    choice === undefined
      ? `needs the model ${hash}, which is not shipped with this cnfzip: name its file (option model)`
      : `needs the model ${hash}, which is neither the given one nor shipped with this cnfzip`,
  );
}

/** The name of the shipped model with this hash, if there is one. */
export function shippedName(hash: string): string | undefined {
  return Object.keys(SHIPPED).find((name) => SHIPPED[name].hash === hash);
}

/** Whether a choice is the path of a model's file. */
export function isPath(choice: string): boolean {
  return choice.endsWith(SUFFIX) || /[/\\]/.test(choice);
}
