/** How close real code length comes to likelihood: a file's bytes beside the model's evidence lower bound. */

import { decodeImage, encodeImage, info } from '../codec/codec.js';
import { forwardColour } from '../codec/colour.js';
import { CnfzipError } from '../codec/error.js';
import type { Image } from '../codec/image.js';
import { Likelihood } from '../codec/likelihood.js';
import type { Model } from '../codec/model.js';
import { TileCodec, TOP_BITS, type Trace } from '../codec/tile-codec.js';
import { extractTile, tileLayout } from '../codec/tiles.js';

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
  const bytes = await encodeImage(image, model);
  const decoded = await decodeImage(bytes, [model]);
  if (!decoded.samples.every((sample, i) => sample === image.samples[i])) {
    throw new CnfzipError('corrupt', 'the decoded image differs from the original');
  }
  const { width, height, channels, samples } = image;
  const codec = await TileCodec.create(model);
  const likelihood = await Likelihood.create(model.definition);
  likelihood.load(model.weights);
  const tiles = tileLayout(width, height);
  let [net, elbo] = [0, 0];
  for (const tile of tiles) {
    const coordinates = forwardColour(extractTile(samples, width, channels, tile), channels);
    const trace: Trace = [];
    net += codec.encode(coordinates, tile.width, tile.height, trace).netBits;
    const nats = likelihood.evaluate(coordinates, tile.width, tile.height, trace, false);
    elbo += nats / Math.LN2 + TOP_BITS * channels;
  }
  return { file: 8 * bytes.length, container: 8 * info(bytes).overheadBytes, net, elbo, tiles: tiles.length };
}
