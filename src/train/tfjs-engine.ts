/** The loss of the coded map in TensorFlow.js ops, as a training engine: for GPUs, and the oracle of the kernel engine. */

import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { type KernelConstant, Kernels } from '../../codec/kernels/kernels.js';
import { type ModelDefinition, type ModelParameters, modelParameters } from '../../models/definition.js';
import type { Crop } from './dataset.js';
import type { Engine, Evaluation } from './engine.js';
import { gatherBatch } from './tfjs/batch.js';
import { headRows } from './tfjs/context.js';
import { siteLosses } from './tfjs/flow.js';
import { registerGradients } from './tfjs/gradients.js';
import { matrices } from './tfjs/parameters.js';
import type { TensorFlow } from './tfjs/tensorflow.js';

/** Pixels of the crops that are computed at a time: bounds the memory, about 35 KB a pixel for the default colour model. */
const CHUNK_PIXELS = 32768;

export class TfjsEngine implements Engine {
  readonly name: string;
  readonly #tf: TensorFlow;
  readonly #definition: ModelDefinition;
  readonly #parameters: ModelParameters;
  /** Its constants are the kernels'. */
  readonly #kernels = Kernels.create();

  /** @param tf a namespace whose backend is set and ready */
  constructor(tf: TensorFlow, definition: ModelDefinition) {
    this.name = `TensorFlow.js, backend ${tf.getBackend()}`;
    this.#tf = tf;
    this.#definition = definition;
    this.#parameters = modelParameters(definition);
    registerGradients(tf);
  }

  async evaluate(weights: Float32Array, crops: readonly Crop[], gradient: boolean): Promise<Evaluation> {
    const sum = new Float32Array(this.#parameters.count);
    let nats = 0;
    const bySide = new Map<number, Int32Array[]>();
    for (const { side, samples } of crops) bySide.set(side, [...(bySide.get(side) ?? []), samples]);
    for (const [side, tiles] of bySide) {
      const chunk = Math.max(1, Math.floor(CHUNK_PIXELS / side ** 2));
      for (let first = 0; first < tiles.length; first += chunk) {
        const part = await this.evaluateTiles(weights, tiles.slice(first, first + chunk), side, side, gradient);
        nats += part.nats;
        if (gradient) for (let i = 0; i < sum.length; i++) sum[i] += part.gradient[i];
      }
    }
    return { nats, gradient: sum };
  }

  /** As `evaluate`, of height x width tiles (samples as for `TileCodec.encode`), at once; without `gradient` the gradient is empty. */
  async evaluateTiles(
    weights: Float32Array,
    tiles: readonly Int32Array[],
    height: number,
    width: number,
    gradient: boolean,
  ): Promise<Evaluation> {
    const tf = this.#tf;
    const definition = this.#definition;
    const parameters = this.#parameters;
    const { run } = await this.#kernels;
    run.depthOpen(8);
    const constant = (name: KernelConstant) => run[name].value as number;
    const batch = gatherBatch(definition, constant, tiles, height, width);
    if (batch.levels.length === 0) return { nats: 0, gradient: new Float32Array(gradient ? weights.length : 0) };
    const losses = (flat: Tensor): Tensor => {
      const matrix = matrices(tf, parameters, flat as Tensor1D);
      const rows = headRows(tf, definition, parameters, matrix, batch);
      return siteLosses(tf, definition, constant, parameters, matrix, rows, batch.sites);
    };
    const { value, grads } = tf.tidy(() => {
      const flat = tf.tensor1d(weights);
      return gradient ? tf.valueAndGrads(losses)([flat]) : { value: losses(flat), grads: [] };
    });
    const results = await Promise.all([value, ...grads].map((tensor) => tensor.data<'float32'>()));
    tf.dispose([value, ...grads]);
    const [perSite, sum = new Float32Array(0)] = results;
    // Summed in float64: float32 would lose the small losses of a large batch.
    return { nats: perSite.reduce((total, loss) => total + loss, 0), gradient: sum };
  }

  async close(): Promise<void> {}
}
