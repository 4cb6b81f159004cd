/** How close real code length comes to likelihood: a file's bytes beside the model's evidence lower bound. */

import type { TileCoder } from '../codec/coding.js';
import { CnfzipError } from '../codec/error.js';
import { Likelihood } from '../codec/flow/likelihood.js';
import type { Model } from '../codec/flow/model.js';
import { plainBits, TileCodec, type Trace } from '../codec/flow/tile-codec.js';
import { type Image, sameImage } from '../codec/image.js';
import { info } from '../codec/info.js';
import { decodeImage, encodeImage } from './codec.js';

/** Of one image; all in bits. */
export interface CodeLength {
  /** The `.cnfz` file, which was decoded again and compared. */
  readonly file: number;
  /** All in it that is no tile's payload. */
  readonly container: number;
  /** What the samples added to the tiles' stacks. */
  readonly net: number;
  /** Negative ELBO of the same samples with the same dequantization, in continuous arithmetic. */
  readonly elbo: number;
  readonly tiles: number;
}

/**
 * @param models as for `encodeImage`
 * @throws {CnfzipError} `unsupported` if the image is not coded by the flow alone, `corrupt` if it does not come back exactly
 */
export async function codeLength(image: Image, models: readonly Model[]): Promise<CodeLength> {
  let [net, elbo, tiles] = [0, 0, 0];
  const coderOf = async (model: Model): Promise<TileCoder> => {
    const codec = await TileCodec.create(model);
    const likelihood = await Likelihood.create(model.definition);
    likelihood.load(model.weights);
    return {
      concurrency: 1,
      async encode(samples, shape) {
        const trace: Trace = [];
        const encoded = codec.encode(samples, shape, trace);
        const nats = likelihood.evaluate(samples, shape, trace, false);
        net += encoded.netBits;
        elbo += nats / Math.LN2 + plainBits(shape.depth) * model.definition.channels;
        tiles++;
        return encoded;
      },
      decode: async (payload, shape) => codec.decode(payload, shape),
    };
  };
  const bytes = await encodeImage(image, models, { coderOf });
  if (!sameImage(await decodeImage(bytes, models, { coderOf }), image)) {
    throw new CnfzipError('corrupt', 'the decoded image differs from the original');
  }
  const { layers } = info(bytes);
  const payloads = layers.flatMap((layer) => layer.tiles);
  if (layers.some(({ method }) => method !== 'tiles') || payloads.some(({ method }) => method !== 'flow')) {
    throw new CnfzipError(
      'unsupported',
      'is smaller coded by other means than the flow, whose likelihood says nothing of it',
    );
  }
  const container = bytes.length - payloads.reduce((sum, tile) => sum + tile.bytes, 0);
  return { file: 8 * bytes.length, container: 8 * container, net, elbo, tiles };
}
