/** Images of 32 x 32 pixels simpler than any photograph, drawn from random numbers: digits, and flat graphics. */

import type { Image } from '../../../codec/image.js';
import type { Random } from '../../train/random.js';

export const SIDE = 32;
/** Samples of a pixel along each side, whose mean it is: edges are smooth. */
const FINE = 4;

type Colour = readonly [number, number, number];
type Point = readonly [number, number];

/** Segments of the digits in a box of 1 x 2: corners are numbered row by row, 0 to 5. */
const CORNERS: readonly Point[] = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
  [0, 2],
  [1, 2],
];
const STROKES: readonly (readonly [number, number])[][] = [
  [
    [0, 1],
    [1, 5],
    [5, 4],
    [4, 0],
  ],
  [[1, 5]],
  [
    [0, 1],
    [1, 3],
    [3, 2],
    [2, 4],
    [4, 5],
  ],
  [
    [0, 1],
    [1, 5],
    [5, 4],
    [2, 3],
  ],
  [
    [0, 2],
    [2, 3],
    [1, 5],
  ],
  [
    [1, 0],
    [0, 2],
    [2, 3],
    [3, 5],
    [5, 4],
  ],
  [
    [1, 0],
    [0, 4],
    [4, 5],
    [5, 3],
    [3, 2],
  ],
  [
    [0, 1],
    [1, 4],
  ],
  [
    [0, 1],
    [1, 5],
    [5, 4],
    [4, 0],
    [2, 3],
  ],
  [
    [3, 2],
    [2, 0],
    [0, 1],
    [1, 5],
    [5, 4],
  ],
];

/** A digit in light strokes of random width, slant and place on black, gray as handwriting is scanned. */
export function digit(random: Random): Image {
  const strokes = STROKES[random.below(10)];
  const [scale, width] = [8 + 2 * random.uniform(), 1.2 + random.uniform()];
  const slant = 0.3 * random.normal();
  const [left, top] = [16 - scale / 2 + random.normal(), 16 - scale + random.normal()];
  const corners = CORNERS.map(
    ([x, y]): Point => [
      left + scale * (x + slant * (1 - y)) + 0.5 * random.normal(),
      top + scale * y + 0.5 * random.normal(),
    ],
  );
  return draw((x, y) => {
    const near = strokes.some(([a, b]) => squaredDistance(x, y, corners[a], corners[b]) < width ** 2);
    return near ? [255, 255, 255] : [0, 0, 0];
  });
}

/** Discs, boxes and half planes of plain colours on a plain ground. */
export function flatGraphic(random: Random): Image {
  const colour = (): Colour => [random.below(256), random.below(256), random.below(256)];
  const shapes = Array.from({ length: 1 + random.below(4) }, () => {
    const [x, y, size, kind] = [random.below(SIDE), random.below(SIDE), 4 + random.below(10), random.below(3)];
    const paint = colour();
    const turn = 2 * Math.PI * random.uniform();
    const inside = [
      (px: number, py: number) => Math.hypot(px - x, py - y) < size,
      (px: number, py: number) => Math.abs(px - x) < size && Math.abs(py - y) < size / 2,
      (px: number, py: number) => (px - x) * Math.cos(turn) + (py - y) * Math.sin(turn) > 8,
    ][kind];
    return { paint, inside };
  });
  const ground = colour();
  return draw((x, y) => shapes.find(({ inside }) => inside(x, y))?.paint ?? ground);
}

/** Every sample at random: what nothing can compress. */
export function noise(random: Random): Image {
  return image(Uint8Array.from({ length: 3 * SIDE ** 2 }, () => random.below(256)));
}

function draw(paint: (x: number, y: number) => Colour): Image {
  const samples = new Uint8Array(3 * SIDE ** 2);
  for (let pixel = 0; pixel < SIDE ** 2; pixel++) {
    const sum = [0, 0, 0];
    for (let i = 0; i < FINE ** 2; i++) {
      const x = (pixel % SIDE) + ((i % FINE) + 0.5) / FINE;
      const y = Math.floor(pixel / SIDE) + (Math.floor(i / FINE) + 0.5) / FINE;
      for (const [c, value] of paint(x, y).entries()) sum[c] += value;
    }
    samples.set(
      sum.map((value) => Math.round(value / FINE ** 2)),
      3 * pixel,
    );
  }
  return image(samples);
}

function image(samples: Uint8Array): Image {
  return { width: SIDE, height: SIDE, channels: 3, samples };
}

function squaredDistance(x: number, y: number, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const [px, py] = [x - a[0], y - a[1]];
  const along = Math.min(1, Math.max(0, (px * dx + py * dy) / (dx * dx + dy * dy || 1)));
  return (px - along * dx) ** 2 + (py - along * dy) ** 2;
}
