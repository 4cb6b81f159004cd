/** Compresses an image under observation: what the flow's coder did, tile by tile. */

import { CnfzipError } from '../../codec/error.js';
import type { Learning } from '../../codec/flow/learning.js';
import type { Model } from '../../codec/flow/model.js';
import type { Image } from '../../codec/image.js';
import { encodeImage, info } from '../codec.js';
import { type TracedTile, tracingCoder } from './tracing.js';

/** Bytes of the file, which was decoded again and compared, and of its tiles' payloads. */
export interface TracedFile {
  readonly bytes: number;
  readonly payloads: number;
  readonly tiles: number;
}

/**
 * @param models as for `encodeImage`
 * @param learning as for `encodeImage`
 * @param onTile as for `tracingCoder`
 * @throws {CnfzipError} `unsupported` if the image is not coded by the flow alone, `corrupt` if it does not come back exactly
 */
export async function encodeTraced(
  image: Image,
  models: readonly Model[],
  learning: Learning,
  onTile: (tile: TracedTile) => Promise<void> | void,
): Promise<TracedFile> {
  const bytes = await encodeImage(image, models, { coderOf: tracingCoder(onTile), learning });
  const { layers } = info(bytes);
  const tiles = layers.flatMap((layer) => layer.tiles);
  if (layers.some(({ method }) => method !== 'tiles') || tiles.some(({ method }) => method !== 'flow')) {
    throw new CnfzipError(
      'unsupported',
      'is smaller coded by other means than the flow, whose likelihood says nothing of it',
    );
  }
  return { bytes: bytes.length, payloads: tiles.reduce((sum, tile) => sum + tile.bytes, 0), tiles: tiles.length };
}
