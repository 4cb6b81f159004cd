/** How close real code length comes to likelihood: a file's bytes beside the model's evidence lower bound. */

import { decodeImage, encodeImage, info, type TileCoder } from '../codec/codec.js';
import { CnfzipError } from '../codec/error.js';
import type { Image } from '../codec/image.js';
import { Likelihood } from '../codec/likelihood.js';
import type { Model } from '../codec/model.js';
import { plainBits, TileCodec, type Trace } from '../codec/tile-codec.js';

/** Of one image; all in bits. */
export interface CodeLength {
  /** The `.cnfz` file, which was decoded again and compared. */
  readonly file: number;
  /** Header, lengths and checksums. */
  readonly container: number;
  /** What the samples added to the tiles' stacks. */
  readonly net: number;
  /** Negative ELBO of the same samples with the same dequantization, in continuous arithmetic. */
  readonly elbo: number;
  readonly tiles: number;
}

/** @throws {CnfzipError} `corrupt` if the image does not come back exactly */
export async function codeLength(image: Image, model: Model): Promise<CodeLength> {
  const codec = await TileCodec.create(model);
  const likelihood = await Likelihood.create(model.definition);
  likelihood.load(model.weights);
  let [net, elbo, tiles] = [0, 0, 0];
  const coder: TileCoder = {
    concurrency: 1,
    async encode(samples, shape) {
      const trace: Trace = [];
      const encoded = codec.encode(samples, shape, trace);
      const nats = likelihood.evaluate(samples, shape, trace, false);
      net += encoded.netBits;
      elbo += nats / Math.LN2 + plainBits(shape.depth) * image.channels;
      tiles++;
      return encoded;
    },
    decode: async (payload, shape) => codec.decode(payload, shape),
  };
  const bytes = await encodeImage(image, model, { coder });
  const decoded = await decodeImage(bytes, [model], { coder });
  if (!decoded.samples.every((sample, i) => sample === image.samples[i])) {
    throw new CnfzipError('corrupt', 'the decoded image differs from the original');
  }
  return { file: 8 * bytes.length, container: 8 * info(bytes).overheadBytes, net, elbo, tiles };
}
