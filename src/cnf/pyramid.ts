/**
 * Flows of images by scales (Voleti et al. 2021, Multi-Resolution Continuous Normalizing Flows): an image becomes a coarse one and, at every scale, the details
 * that the next finer one has more, by maps of determinant 1. The coarse image has a flow of its own, and the details of each scale one that is conditional
 * on the image of the next coarser scale.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Layer, Mapped } from '../../models/layers/layer.js';
import { blockLifting, colourLifting, inverseOf, type Lifting, matrixOf, type Rounding } from './lifting.js';

/** Square images of `channels` (1 or 3; three are taken for red, green and blue), each a row [side, side, channels]. */
export interface PyramidShape {
  readonly side: number;
  readonly channels: number;
  /** Scales of details, each of half the side; `side` is a multiple of 2^details. */
  readonly details: number;
}

/** A scale, finest first: of details, or at last the coarse image. */
export interface Scale {
  /** Pixels of a side. */
  readonly side: number;
  /** Of what its flow maps. */
  readonly channels: number;
  /** Of the image of the same side that it is conditional on; 0 for the coarse image. */
  readonly context: number;
}

/** @throws {RangeError} if the side cannot be halved so often */
export function scalesOf({ side, channels, details }: PyramidShape): Scale[] {
  if (side % 2 ** details !== 0) throw new RangeError(`a side of ${side} pixels cannot be halved ${details} times`);
  return [
    ...Array.from({ length: details }, (_, k) => ({
      side: side / 2 ** (k + 1),
      channels: 3 * channels,
      context: channels,
    })),
    { side: side / 2 ** details, channels, context: 0 },
  ];
}

/** What the flow of a scale maps, and what it is conditional on, as rows [B, ...]. */
export interface Band {
  readonly own: tf.Tensor2D;
  readonly context?: tf.Tensor2D;
}

/** The linear maps between images and scales, over the reals. */
export interface Pyramid {
  readonly shape: PyramidShape;
  readonly scales: readonly Scale[];
  /** Finest first. */
  bands(images: tf.Tensor2D): Band[];
  /** Images again, from what makes each scale's own part of its context, the coarse image's first. */
  image(own: (scale: number, context?: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D;
}

export function pyramid(shape: PyramidShape): Pyramid {
  const { channels } = shape;
  const scales = scalesOf(shape);
  const colour = channels === 3 ? matrices(colourLifting()) : undefined;
  const block = matrices(blockLifting(channels));
  const recoloured = (images: tf.Tensor2D, matrix: tf.Tensor2D | undefined): tf.Tensor2D =>
    matrix ? tf.reshape(tf.matMul(tf.reshape(images, [-1, channels]), matrix), images.shape) : images;
  return {
    shape,
    scales,
    bands(images) {
      let finer = recoloured(images, colour?.ahead);
      const count = images.shape[0];
      return scales.map(({ side, context }) => {
        if (context === 0) return { own: finer };
        const blocks = tf.matMul(gathered(finer, side, channels), block.ahead);
        const part = (from: number, size: number): tf.Tensor2D =>
          tf.reshape(tf.slice(blocks, [0, from], [-1, size]), [count, side * side * size]);
        finer = part(0, channels);
        return { own: part(channels, 3 * channels), context: finer };
      });
    },
    image(own) {
      let coarse = own(scales.length - 1);
      for (let k = scales.length - 2; k >= 0; k--) {
        const { side } = scales[k];
        const details = own(k, coarse);
        const rows = (images: tf.Tensor2D, size: number): tf.Tensor2D => tf.reshape(images, [-1, size]);
        const blocks = tf.concat([rows(coarse, channels), rows(details, 3 * channels)], 1) as tf.Tensor2D;
        coarse = spread(tf.matMul(blocks, block.back), side, channels);
      }
      return recoloured(coarse, colour?.back);
    },
  };
}

function matrices(lifting: Lifting): { ahead: tf.Tensor2D; back: tf.Tensor2D } {
  const kept = (values: Float32Array) => tf.keep(tf.tensor2d(values, [lifting.size, lifting.size]));
  return { ahead: kept(matrixOf(lifting)), back: kept(inverseOf(lifting)) };
}

/** Images of side 2 s as their blocks of two by two pixels, [B s s, 4 channels]. */
function gathered(images: tf.Tensor2D, side: number, channels: number): tf.Tensor2D {
  const rows = tf.reshape(images, [-1, 2, side, 2 * channels]);
  return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [-1, 4 * channels]);
}

/** Blocks to images again. */
function spread(blocks: tf.Tensor2D, side: number, channels: number): tf.Tensor2D {
  const rows = tf.transpose(tf.reshape(blocks, [-1, side, 2, 2 * channels]), [0, 2, 1, 3]);
  return tf.reshape(rows, [-1, 4 * side * side * channels]);
}

/** A flow of images: of every scale a layer, finest first, from its own part to standard normal coordinates. */
export interface PyramidFlow {
  readonly pyramid: Pyramid;
  readonly layers: readonly Layer[];
  /** All scales' coordinates side by side, finest first, with log |det|. */
  forward(images: tf.Tensor2D): Mapped;
  inverse(z: tf.Tensor2D): tf.Tensor2D;
}

export function pyramidFlow(parts: Pyramid, layers: readonly Layer[]): PyramidFlow {
  const sizes = parts.scales.map(({ side, channels }) => side * side * channels);
  return {
    pyramid: parts,
    layers,
    forward(images) {
      const mapped = parts.bands(images).map(({ own, context }, k) => layers[k].forward(own, context));
      return {
        y: tf.concat(
          mapped.map(({ y }) => y),
          1,
        ) as tf.Tensor2D,
        logDet: mapped.map(({ logDet }) => logDet).reduce((a, b) => tf.add(a, b)),
      };
    },
    inverse(z) {
      const each = tf.split<tf.Tensor2D>(z, sizes, 1);
      return parts.image((k, context) => layers[k].inverse(each[k], context));
    },
  };
}

/** An image's cells by scales, finest first, each laid out as the scale's own part: the same maps on integers. */
export function cellBands(shape: PyramidShape, cells: Int32Array): { own: Int32Array; context?: Int32Array }[] {
  const { channels } = shape;
  let finer = Float64Array.from(cells);
  if (channels === 3) inPlace(finer, colourLifting(), 'forward');
  return scalesOf(shape).map(({ side, context }) => {
    if (context === 0) return { own: Int32Array.from(finer) };
    const lift = blockLifting(channels);
    const [coarse, details] = [new Float64Array(side * side * channels), new Int32Array(3 * side * side * channels)];
    for (let k = 0; k < side * side; k++) {
      const block = Float64Array.from({ length: 4 * channels }, (_, i) => finer[inBlock(k, i, side, channels)]);
      lift.forward(block, Math.round);
      coarse.set(block.subarray(0, channels), k * channels);
      details.set(block.subarray(channels), 3 * k * channels);
    }
    finer = coarse;
    return { own: details, context: Int32Array.from(coarse) };
  });
}

/** The cells again, from what makes each scale's own part of its context, the coarse image's first. */
export function cellsOf(shape: PyramidShape, own: (scale: number, context?: Int32Array) => Int32Array): Int32Array {
  const { channels } = shape;
  const scales = scalesOf(shape);
  let coarse = own(scales.length - 1);
  for (let k = scales.length - 2; k >= 0; k--) {
    const { side } = scales[k];
    const details = own(k, coarse);
    const lift = blockLifting(channels);
    const finer = new Int32Array(4 * coarse.length);
    for (let p = 0; p < side * side; p++) {
      const block = new Float64Array(4 * channels);
      block.set(coarse.subarray(p * channels, (p + 1) * channels));
      block.set(details.subarray(3 * p * channels, 3 * (p + 1) * channels), channels);
      lift.backward(block, Math.round);
      for (let i = 0; i < block.length; i++) finer[inBlock(p, i, side, channels)] = block[i];
    }
    coarse = finer;
  }
  if (channels !== 3) return coarse;
  const values = Float64Array.from(coarse);
  inPlace(values, colourLifting(), 'backward');
  return Int32Array.from(values);
}

/** Where number i of block k lies in an image of twice the side. */
function inBlock(k: number, i: number, side: number, channels: number): number {
  const [x, y] = [k % side, Math.floor(k / side)];
  const [pixel, c] = [Math.floor(i / channels), i % channels];
  return ((2 * y + (pixel >> 1)) * 2 * side + 2 * x + (pixel & 1)) * channels + c;
}

function inPlace(values: Float64Array, lifting: Lifting, way: 'forward' | 'backward', round: Rounding = Math.round) {
  for (let at = 0; at < values.length; at += lifting.size) lifting[way](values.subarray(at, at + lifting.size), round);
}
