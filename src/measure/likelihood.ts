/** How close real code length comes to likelihood: a file's bytes beside the model's negative log-likelihood. */

import { USUAL_LEARNING } from '../../codec/flow/learning.js';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { type Flow, type Model, paceOf } from '../../codec/flow/model.js';
import { plainBits } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { encodeTraced } from './traced.js';

/** Of one image; all in bits. */
export interface CodeLength {
  /** The `.cnfz` file, which was decoded again and compared. */
  readonly file: number;
  /** All in it that is no tile's payload. */
  readonly container: number;
  /** What the samples added to the tiles' stacks. */
  readonly net: number;
  /** Negative log-likelihood of the same samples, in continuous arithmetic, under the weights that each was coded with. */
  readonly ideal: number;
  readonly tiles: number;
}

/**
 * @param models as for `encodeImage`
 * @param learning as for `encodeImage`
 * @throws {CnfzipError} `unsupported` if the image is not coded by the flow alone, `corrupt` if it does not come back exactly
 */
export async function codeLength(
  image: Image,
  models: readonly Model[],
  learning = USUAL_LEARNING,
): Promise<CodeLength> {
  let [net, ideal] = [0, 0];
  const likelihoods = new Map<Flow, Likelihood>();
  const { bytes, payloads, tiles } = await encodeTraced(
    image,
    models,
    learning,
    async ({ flow, samples, shape, netBits }) => {
      const { definition, rates, weights } = flow.model;
      let likelihood = likelihoods.get(flow);
      if (!likelihood) {
        likelihood = await Likelihood.create(definition, paceOf(rates, flow.learning));
        likelihood.load(weights);
        likelihoods.set(flow, likelihood);
      }
      net += netBits;
      const nats = likelihood.evaluate(samples, shape, false);
      ideal += nats / Math.LN2 + plainBits(shape.depth) * definition.channels;
    },
  );
  return { file: 8 * bytes, container: 8 * (bytes - payloads), net, ideal, tiles };
}
