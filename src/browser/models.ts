/** The shipped models, fetched when one is needed first. */
import { CnfzipError } from '../../codec/error.js';
import { type Model, parseModel } from '../../codec/flow/model.js';
import type { FileInfo } from '../../codec/info.js';
import { once } from '../../codec/once.js';
import { SHIPPED } from '../../models/build/catalogue.js';

/** Whole expressions, which bundlers know to be files. */
const ADDRESSES = {
  default: new URL('../../models/default.cnfm', import.meta.url),
  fast: new URL('../../models/fast.cnfm', import.meta.url),
  best: new URL('../../models/best.cnfm', import.meta.url),
  gray: new URL('../../models/gray.cnfm', import.meta.url),
};

type ModelName = keyof typeof ADDRESSES;

/** A shipped model for colour. */
export type ColourModel = Exclude<ModelName, 'gray'>;

const COLOUR: readonly ColourModel[] = ['default', 'fast', 'best'];
const GRAY: ModelName = 'gray';

const shippedModel = once(fetchModel);

/** The models to encode an image of so many channels with. */
export function modelsForEncoding(channels: number, colour: ColourModel = 'default'): Promise<Model[]> {
  if (!COLOUR.includes(colour)) {
    throw new CnfzipError('unknown-model', `there is no model ${colour}; there are: ${COLOUR.join(', ')}`);
  }
  const names: ModelName[] = [...(channels >= 3 ? [colour] : []), ...(channels === 3 ? [] : [GRAY])];
  return Promise.all(names.map(shippedModel));
}

/** The models that a file names. */
export function modelsForDecoding({ layers }: FileInfo): Promise<Model[]> {
  return Promise.all(layers.flatMap(({ modelHash }) => (modelHash ? [findModel(modelHash)] : [])));
}

async function findModel(hash: string): Promise<Model> {
  const name = [...COLOUR, GRAY].find((name) => SHIPPED[name].hash === hash);
  if (name) return shippedModel(name);
  throw new CnfzipError('unknown-model', `needs the model ${hash}, which is not shipped with this cnfzip`);
}

async function fetchModel(name: ModelName): Promise<Model> {
  const address = ADDRESSES[name];
  const response = await fetch(address).catch((cause) => {
    throw new CnfzipError('file', `cannot fetch the model ${address}`, { cause });
  });
  if (!response.ok) throw new CnfzipError('file', `cannot fetch the model ${address}: ${response.status}`);
  return parseModel(new Uint8Array(await response.arrayBuffer()));
}
