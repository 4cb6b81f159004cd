/** The learning curve as a picture. */

import { lineY, ruleY, selectLast, text } from '@observablehq/plot';
import { svg } from '../drawing/svg.js';
import type { CurvePoint } from './history.js';

/** Bits per sample of training crops and of held-out crops against the pixels seen, as an SVG document. */
export function learningCurve(name: string, curve: readonly CurvePoint[]): string {
  const points = curve.flatMap(({ pixels, train, heldOut }) => {
    const seen = pixels / 1e9;
    const own = { seen, bits: train, of: 'training (augmented)' };
    return heldOut === undefined ? [own] : [own, { seen, bits: heldOut, of: 'held out' }];
  });
  const channels = { x: 'seen', y: 'bits', z: 'of' } as const;
  return svg({
    ariaLabel: `Learning curve of ${name}`,
    width: 720,
    marginRight: 150,
    x: { label: 'gigapixels seen', grid: true },
    y: { label: 'bits per sample', grid: true, zero: false },
    marks: [
      ruleY([Math.min(...points.map(({ bits }) => bits))], { strokeOpacity: 0.2 }),
      lineY(points, { ...channels, stroke: 'of' }),
      text(points, selectLast({ ...channels, text: 'of', fill: 'of', textAnchor: 'start', dx: 6 })),
    ],
  });
}
