/**
 * Forward-mode differentiation (dual numbers): a value with its derivatives along K directions. Whatever is computed from
 * a dual carries Jacobian-vector products with it, which TensorFlow.js differentiates once more in reverse for training.
 */

import * as tf from '@tensorflow/tfjs-core';

/** Points with their derivatives. */
export interface Dual {
  /** B points of D coordinates, [B, D]. */
  readonly value: tf.Tensor2D;
  /** Of shape [K, B, D]: a derivative along each of K directions; absent where none is asked for. */
  readonly tangents?: tf.Tensor3D;
}

/** A value without directions, or with those given. */
export function dual(value: tf.Tensor2D, tangents?: tf.Tensor3D): Dual {
  return { value, tangents };
}

/**
 * A linear map of points, applied to the value and to every direction. `map` takes rows [N, D], for N any multiple of B, and
 * may return more rows than it took, those of one point together.
 */
export function linearly(x: Dual, map: (rows: tf.Tensor2D) => tf.Tensor2D): Dual {
  const value = map(x.value);
  if (!x.tangents) return { value };
  const [directions, points, dimension] = x.tangents.shape;
  const mapped = map(tf.reshape(x.tangents, [directions * points, dimension]));
  return { value, tangents: tf.reshape(mapped, [directions, ...value.shape]) };
}

/** x W, for W [D, E]. */
export function matMul(x: Dual, weight: tf.Tensor2D): Dual {
  return linearly(x, (rows) => tf.matMul(rows, weight));
}

/** x + c, for a constant c that broadcasts to [B, D]. */
export function shift(x: Dual, constant: tf.Tensor | number): Dual {
  return { value: tf.add(x.value, constant), tangents: x.tangents };
}

/** x c, for a constant c that broadcasts to [B, D]. */
export function scale(x: Dual, constant: tf.Tensor | number): Dual {
  return { value: tf.mul(x.value, constant), tangents: x.tangents && tf.mul(x.tangents, constant) };
}

export function add(a: Dual, b: Dual): Dual {
  return { value: tf.add(a.value, b.value), tangents: sum(a.tangents, b.tangents) };
}

/** a b, elementwise; either may be [B, 1]. */
export function mul(a: Dual, b: Dual): Dual {
  const left = a.tangents && tf.mul<tf.Tensor3D>(a.tangents, b.value);
  const right = b.tangents && tf.mul<tf.Tensor3D>(b.tangents, a.value);
  return { value: tf.mul(a.value, b.value), tangents: sum(left, right) };
}

/** Sums of squares of each point's coordinates, [B, 1]. */
export function squaredNorm(x: Dual): Dual {
  return linearly(mul(x, x), (rows) => tf.sum<tf.Tensor2D>(rows, 1, true));
}

/** Columns side by side. */
export function concat(parts: readonly Dual[]): Dual {
  const value = tf.concat(
    parts.map((part) => part.value),
    1,
  ) as tf.Tensor2D;
  const shaped = parts.find(({ tangents }) => tangents)?.tangents;
  if (!shaped) return { value };
  const directions = shaped.shape[0];
  const tangents = parts.map((part) => part.tangents ?? tf.zeros<tf.Rank.R3>([directions, ...part.value.shape]));
  return { value, tangents: tf.concat(tangents, 2) as tf.Tensor3D };
}

/** An elementwise function, from its value y and its derivative in terms of x and y. */
function elementwise(
  x: Dual,
  value: (x: tf.Tensor2D) => tf.Tensor2D,
  derivative: (x: tf.Tensor2D, y: tf.Tensor2D) => tf.Tensor2D,
): Dual {
  const y = value(x.value);
  return { value: y, tangents: x.tangents && tf.mul(x.tangents, derivative(x.value, y)) };
}

export function tanh(x: Dual): Dual {
  return elementwise(x, tanhOf, (_, y) => tf.sub(1, tf.mul(y, y)));
}

export function exp(x: Dual): Dual {
  return elementwise(x, tf.exp, (_, y) => y);
}

/** log(1 + x). */
export function log1p(x: Dual): Dual {
  return elementwise(
    x,
    (value) => tf.log(tf.add(value, 1)),
    (value) => tf.div(1, tf.add(value, 1)),
  );
}

/** tanh as 2 sigmoid(2 x) - 1: the WASM backend's own takes three times as long. */
export const tanhOf = tf.customGrad((x, save) => {
  const y = tf.sub(tf.mul(tf.sigmoid(tf.mul(x as tf.Tensor, 2)), 2), 1);
  (save as tf.GradSaveFunc)([y]);
  return { value: y, gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => tf.mul(dy, tf.sub(1, tf.mul(kept, kept))) };
}) as <T extends tf.Tensor>(x: T) => T;

function sum(a: tf.Tensor3D | undefined, b: tf.Tensor3D | undefined): tf.Tensor3D | undefined {
  if (!a || !b) return a ?? b;
  return tf.add(a, b);
}
