/** sharp (libvips), which reads and writes the formats that cnfzip does not know itself: loaded when the first file needs it. */
import type sharp from 'sharp';
import { CnfzipError } from '../../codec/error.js';
import { requirePackages } from '../package/packages.js';

/**
 * @param format that needs it, for people
 * @throws CnfzipError `unsupported` if it is not installed, or not for this machine
 */
export async function loadSharp(format: string): Promise<typeof sharp> {
  await requirePackages(format, ['sharp']);
  try {
    return (await import('sharp')).default;
  } catch (error) {
    const [why] = (error as Error).message.trim().split('\n');
    throw new CnfzipError('unsupported', `${format} needs the package sharp, which cannot be loaded: ${why}`, {
      cause: error,
    });
  }
}
