/** A coder of images by scales. */

import * as tf from '@tensorflow/tfjs-core';
import { cellBands, cellsOf, type PyramidFlow } from '../pyramid.js';
import { scoped } from '../scope.js';
import { type LocalBitsBackOptions, localBitsBack } from './local-bits-back.js';
import type { Coder } from './stack.js';

/**
 * A coder of one image's cells under a flow by scales: the cells go through the same maps in integers, and each scale's part through Local Bits-Back, given
 * the next coarser image. Jacobians are as large as a scale's part, not as the image.
 */
export function pyramidCoder(
  { pyramid: { shape, scales }, layers }: PyramidFlow,
  { gridBits, noiseBits }: Pick<LocalBitsBackOptions, 'gridBits' | 'noiseBits'>,
): Coder<Int32Array> {
  /** Does something with the coder of a scale. */
  const coding = <T>(k: number, context: Int32Array | undefined, work: (coder: Coder<Int32Array>) => T): T =>
    scoped(() => {
      const { side, channels } = scales[k];
      const given =
        context &&
        tf.tensor2d(
          Float32Array.from(context, (cell) => cell * 2 ** -gridBits),
          [1, context.length],
        );
      const dimension = side * side * channels;
      return work(localBitsBack(layers[k], { dimension, points: 1, gridBits, noiseBits, context: given }));
    });
  return {
    push(stack, cells) {
      // Finest first, so that what is decoded first is the coarse image, which the others need.
      for (const [k, { own, context }] of cellBands(shape, cells).entries()) {
        coding(k, context, (coder) => coder.push(stack, own));
      }
    },
    pop: (stack) => cellsOf(shape, (k, context) => coding(k, context, (coder) => coder.pop(stack))),
  };
}
