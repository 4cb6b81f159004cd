/** The project's own images. */

import { readFile } from 'node:fs/promises';
import { CnfzipError } from '../../../codec/error.js';
import type { Image } from '../../../codec/image.js';
import { decodePng } from '../../io/png.js';
import { PACKAGE } from '../../package/packages.js';

/** Photographs among the fixtures, in colour, the smallest first; those that the package contains. */
export const PHOTOGRAPHS = [
  'red-door-128x96',
  'river-160x120',
  'hair-127x163',
  'dark-247x165',
  'house-253x191',
  'kodim23',
];

/** @throws {CnfzipError} `file` if the image is not where the package has it */
export async function fixture(name: string): Promise<Image> {
  const url = new URL(`fixtures/${name}.png`, PACKAGE);
  try {
    return decodePng(await readFile(url));
  } catch (cause) {
    throw new CnfzipError('file', `the image fixtures/${name}.png is missing: install cnfzip again`, { cause });
  }
}
