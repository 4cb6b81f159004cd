/** Draws a plot to an SVG file's text, without a browser. */

import { type PlotOptions, plot } from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** A self-contained SVG document of a plot with one set of axes and no legend. */
export function svg(options: PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const figure = plot({ style: { background: 'white', fontSize: '12px' }, ...options, document });
  figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${figure.outerHTML}\n`;
}
