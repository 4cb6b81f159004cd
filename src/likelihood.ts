/** How close real code length comes to likelihood: a file's bytes beside the model's negative log-likelihood. */

import { Likelihood } from '../codec/flow/likelihood.js';
import type { Model } from '../codec/flow/model.js';
import { plainBits } from '../codec/flow/tile-codec.js';
import type { Image } from '../codec/image.js';
import { encodeTraced } from './traced.js';

/** Of one image; all in bits. */
export interface CodeLength {
  /** The `.cnfz` file, which was decoded again and compared. */
  readonly file: number;
  /** All in it that is no tile's payload. */
  readonly container: number;
  /** What the samples added to the tiles' stacks. */
  readonly net: number;
  /** Negative log-likelihood of the same samples, in continuous arithmetic. */
  readonly ideal: number;
  readonly tiles: number;
}

/**
 * @param models as for `encodeImage`
 * @throws {CnfzipError} `unsupported` if the image is not coded by the flow alone, `corrupt` if it does not come back exactly
 */
export async function codeLength(image: Image, models: readonly Model[]): Promise<CodeLength> {
  let [net, ideal] = [0, 0];
  const likelihoods = new Map<Model, Likelihood>();
  const { bytes, payloads, tiles } = await encodeTraced(image, models, async ({ model, samples, shape, netBits }) => {
    let likelihood = likelihoods.get(model);
    if (!likelihood) {
      likelihood = await Likelihood.create(model.definition);
      likelihood.load(model.weights);
      likelihoods.set(model, likelihood);
    }
    const nats = likelihood.evaluate(samples, shape, false);
    net += netBits;
    ideal += nats / Math.LN2 + plainBits(shape.depth) * model.definition.channels;
  });
  return { file: 8 * bytes, container: 8 * (bytes - payloads), net, ideal, tiles };
}
