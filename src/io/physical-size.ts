import type { Metadata } from '../../codec/image.js';

const METRE = 1;

/**
 * Pixels per metre, rounded, as a PNG has them (pHYs, 11.3.4.3).
 *
 * @returns nothing unless both are above 0 and below 2^31
 */
export function physicalSize(x: number, y: number): Metadata[] {
  const [across, down] = [Math.round(x), Math.round(y)];
  if (!(Math.min(across, down) > 0 && Math.max(across, down) < 2 ** 31)) return [];
  const data = new DataView(new ArrayBuffer(9));
  data.setUint32(0, across);
  data.setUint32(4, down);
  data.setUint8(8, METRE);
  return [{ type: 'pHYs', place: 'start', data: new Uint8Array(data.buffer) }];
}
