/** An image in a few words. */
import type { FileInfo, LayerInfo } from '../index.js';
import { shippedName } from '../session/models.js';
import { count } from './report.js';

const KINDS = { 1: 'gray', 2: 'gray and alpha', 3: 'RGB', 4: 'RGBA' };

/** `768 x 512 RGB, 8 bits`. */
export function describeImage({
  width,
  height,
  channels,
  maxval,
  paletteColours,
}: Pick<FileInfo, 'width' | 'height' | 'channels' | 'maxval' | 'paletteColours'>): string {
  const kind = paletteColours > 0 ? `palette of ${paletteColours} colours` : KINDS[channels];
  const bits = Math.log2(maxval + 1);
  return `${width} x ${height} ${kind}, ${Number.isInteger(bits) ? `${bits} bits` : `values to ${maxval}`}`;
}

/** Names of the layers of an image whose alpha is one of its own. */
export const PARTS = ['colour', 'alpha'];

const METHODS = { plain: 'row filters and deflate', webp: 'WebP', tiles: 'tiles', flow: 'flow' };

/** What each layer is coded by, a line each: `  colour: flow default in 3 tiles, WebP in 1, 56,545 bytes`. */
export function describeLayers({ layers }: Pick<FileInfo, 'layers'>): string[] {
  return layers.map((layer, i) => {
    const part = layers.length > 1 ? PARTS[i] : 'samples';
    return `  ${part}: ${describeMethod(layer)}, ${count(layer.bytes)} bytes`;
  });
}

function describeMethod({ method, tiles, modelHash }: LayerInfo): string {
  if (method !== 'tiles') return METHODS[method];
  const flows = tiles.filter((tile) => tile.method === 'flow').length;
  const model = modelHash && (shippedName(modelHash) ?? modelHash);
  const places = (number: number) => `${count(number)} ${number === 1 ? 'tile' : 'tiles'}`;
  return [
    ...(flows > 0 ? [`the flow of model ${model} in ${places(flows)}`] : []),
    ...(flows < tiles.length ? [`WebP in ${places(tiles.length - flows)}`] : []),
  ].join(', ');
}

/** `1/8`. */
export function scaleName(scale: number): string {
  return scale === 1 ? '1' : `1/${1 / scale}`;
}
