/** Which TensorFlow.js computes: `@tensorflow/tfjs-node-gpu` where it is installed and finds a GPU, else the WASM backend. */

import { requirePackages } from '../package/packages.js';
import type { TensorFlow } from './tfjs/tensorflow.js';

/** Imports a module by its name. */
export type Importer = (name: string) => Promise<unknown>;

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';

const importModule: Importer = (name) => import(name);

/**
 * Sets TensorFlow.js's backend: `@tensorflow/tfjs-node-gpu` where it is installed and finds a GPU, else WebAssembly.
 *
 * @param log is told in one line of a GPU package that is installed but of no use
 * @param importer imports the GPU package; `import` without
 * @returns TensorFlow.js's namespace, ready
 */
export async function selectBackend(log: (line: string) => void, importer?: Importer): Promise<TensorFlow> {
  return (await loadGpuBackend(log, importer)) ?? loadWasmBackend();
}

/** The GPU's namespace, if there is one. */
export async function loadGpuBackend(
  log: (line: string) => void,
  importer: Importer = importModule,
): Promise<TensorFlow | undefined> {
  try {
    const module = (await importer(GPU_PACKAGE)) as TensorFlow & { default?: TensorFlow };
    const tf = module.default ?? module;
    await tf.ready();
    const backend = tf.backend() as { isUsingGpuDevice?: boolean };
    if (backend.isUsingGpuDevice) return tf;
    log(`${GPU_PACKAGE} is installed but finds no GPU; going on without it`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${GPU_PACKAGE}'`);
    if (!missing)
      log(`${GPU_PACKAGE} is installed but cannot be loaded (${message.split('\n')[0].trim()}); going on without it`);
  }
  return undefined;
}

/** Computes the same on every machine that has the same packages, which coders rely on. */
export async function loadWasmBackend(): Promise<TensorFlow> {
  await requirePackages('TensorFlow.js', ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm']);
  const tf = await import('@tensorflow/tfjs-core');
  // The package finds its .wasm files beside its own code: nothing is fetched.
  await import('@tensorflow/tfjs-backend-wasm');
  if (!(await tf.setBackend('wasm'))) throw new Error('the WASM backend of TensorFlow.js does not start');
  await tf.ready();
  return tf;
}
