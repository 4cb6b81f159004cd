/**
 * Gradients of the ops that the TensorFlow.js engine uses. In Node.js `@tensorflow/tfjs-core` loads without any (its
 * `register_all_gradients` is not loadable there), while `@tensorflow/tfjs-node-gpu` brings its own, which are kept.
 */

import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './tensorflow.js';

/** Gradient thunks of a kernel's inputs, by the kernel's names of them. */
type Rules = Record<string, () => Tensor>;

/** Registers what the backend's namespace lacks. */
export function registerGradients(tf: TensorFlow): void {
  const elementwise: GradConfig[] = [
    onInputs('Add', ['a', 'b'], (dy, [a, b]) => ({ a: () => unbroadcast(dy, a), b: () => unbroadcast(dy, b) })),
    onInputs('Sub', ['a', 'b'], (dy, [a, b]) => ({ a: () => unbroadcast(dy, a), b: () => tf.neg(unbroadcast(dy, b)) })),
    onInputs('Multiply', ['a', 'b'], (dy, [a, b]) => ({
      a: () => unbroadcast(tf.mul(dy, b), a),
      b: () => unbroadcast(tf.mul(dy, a), b),
    })),
    onInputs('RealDiv', ['a', 'b'], (dy, [a, b]) => ({
      a: () => unbroadcast(tf.div(dy, b), a),
      b: () => tf.neg(unbroadcast(tf.div(tf.mul(dy, a), tf.mul(b, b)), b)),
    })),
    onInputs('Neg', [], (dy) => ({ x: () => tf.neg(dy) })),
    onInputs('Log', ['x'], (dy, [x]) => ({ x: () => tf.div(dy, x) })),
    onInputs('Softplus', ['x'], (dy, [x]) => ({ x: () => tf.mul(dy, tf.sigmoid(x)) })),
    onInputs('Relu', ['x'], (dy, [x]) => ({ x: () => tf.mul(dy, tf.step(x)) })),
    onInputs('ClipByValue', ['x'], (dy, [x], { clipValueMin, clipValueMax }) => ({
      x: () => {
        const above = tf.greaterEqual(x, clipValueMin as number);
        return tf.where(tf.logicalAnd(above, tf.lessEqual(x, clipValueMax as number)), dy, tf.zerosLike(dy));
      },
    })),
    onOutput('Exp', (dy, y) => ({ x: () => tf.mul(dy, y) })),
    onOutput('Sigmoid', (dy, y) => ({ x: () => tf.mul(dy, tf.mul(y, tf.sub(1, y))) })),
    onOutput('Softmax', (dy, y) => ({
      logits: () => tf.mul(y, tf.sub(dy, tf.sum(tf.mul(dy, y), -1, true))),
    })),
  ];
  const structural: GradConfig[] = [
    onInputs('Identity', [], (dy) => ({ x: () => tf.clone(dy) })),
    onInputs('Reshape', ['x'], (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) })),
    onInputs('Transpose', [], (dy, _, { perm }) => ({
      x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(perm as number[])),
    })),
    onInputs('Slice', ['x'], (dy, [x], { begin }) => ({
      x: () => {
        const paddings = (begin as number[]).map((b, i): [number, number] => [b, x.shape[i] - b - dy.shape[i]]);
        return tf.pad(dy, paddings);
      },
    })),
    onInputs('PadV2', ['x'], (dy, [x], { paddings }) => ({
      x: () =>
        tf.slice(
          dy,
          (paddings as number[][]).map(([before]) => before),
          x.shape,
        ),
    })),
    onInputs('Sum', ['x'], (dy, [x], { axis }) => ({
      x: () => {
        const kept = tf.backend_util.expandShapeToKeepDim(dy.shape, tf.util.parseAxisParam(axis as number[], x.shape));
        return tf.mul(tf.reshape(dy, x.rank === dy.rank ? dy.shape : kept), tf.onesLike(x));
      },
    })),
    {
      kernelName: 'Concat',
      saveAllInputs: true,
      gradFunc: (dy, inputs, { axis }) => {
        const [along] = tf.util.parseAxisParam(axis as number, inputs[0].shape);
        const sizes = inputs.map(({ shape }) => shape[along]);
        const parts = tf.split(dy as Tensor, sizes, along);
        return Object.fromEntries(parts.map((part, i) => [i, () => part]));
      },
    },
    {
      kernelName: 'SplitV',
      gradFunc: (dy, _, { axis }) => ({ x: () => tf.concat([dy].flat(), axis as number) }),
    },
    // Transposed explicitly: the WASM backend runs products of transposed operands an order of magnitude slower.
    onInputs('BatchMatMul', ['a', 'b'], (dy, [a, b]) => ({
      a: () => tf.matMul(dy, transposed(b)),
      b: () => tf.matMul(transposed(a), dy),
    })),
  ];
  for (const config of [...elementwise, ...structural]) {
    if (tf.getGradient(config.kernelName) === undefined) tf.registerGradient(config);
  }

  /** Sums a gradient over the axes along which `input` was broadcast. */
  function unbroadcast(dy: Tensor, { shape }: Tensor): Tensor {
    const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
    // A reshaped dy is a tensor of its own, as the engine needs: it disposes of an input's gradient when it adds to it.
    return tf.reshape(axes.length > 0 ? tf.sum(dy, axes) : dy, shape);
  }

  function transposed(matrices: Tensor): Tensor {
    const { rank } = matrices;
    return tf.transpose(matrices, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
  }
}

/** A rule that needs the inputs named. */
function onInputs(
  kernelName: string,
  inputsToSave: string[],
  rule: (dy: Tensor, saved: Tensor[], attributes: NamedAttrMap) => Rules,
): GradConfig {
  return { kernelName, inputsToSave, gradFunc: (dy, saved, attributes) => rule(dy as Tensor, saved, attributes) };
}

/** A rule that needs the output. */
function onOutput(kernelName: string, rule: (dy: Tensor, y: Tensor) => Rules): GradConfig {
  return { kernelName, outputsToSave: [true], gradFunc: (dy, [y]) => rule(dy as Tensor, y) };
}
