/** Figures of reports: Observable Plot's marks, drawn to SVG. */

import * as Plot from '@observablehq/plot';
import { allocSamples, type Image } from '../../codec/image.js';
import { svg } from '../drawing/svg.js';
import { encodePng } from '../io/png.js';

export interface Figure {
  readonly title: string;
  readonly caption: string;
  readonly svg: string;
  readonly legend: readonly LegendEntry[];
  /** What lines are drawn through, for the JSON report. */
  readonly series?: readonly LineSeries[];
}

export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
}

const COLOURS = [
  '#4269d0',
  '#efb118',
  '#ff725c',
  '#6cc5b0',
  '#a463f2',
  '#9c6b4e',
  '#ff8ab7',
  '#97bbf5',
  '#3ca951',
  '#9498a0',
];

/** The colour of the i-th series of a figure. */
export function colour(i: number): string {
  return COLOURS[i % COLOURS.length];
}

/** A figure of any marks; axis labels give units. */
export function figure(
  title: string,
  caption: string,
  options: Plot.PlotOptions,
  names: readonly string[] = [],
): Figure {
  const legend = names.map((name, i) => ({ name, colour: colour(i) }));
  return {
    title,
    caption,
    legend,
    svg: svg({ width: 560, height: 360, grid: true, marginLeft: 55, marginBottom: 45, ...options }),
  };
}

export interface LineSeries {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  /** Standard errors of the points, where they are means over seeds. */
  readonly errors?: readonly number[];
}

/** Lines with their points, one for each series. */
export function lines(
  title: string,
  caption: string,
  axes: Pick<Plot.PlotOptions, 'x' | 'y'>,
  series: readonly LineSeries[],
  dots = true,
): Figure {
  const marks = series.flatMap(({ points, errors }, i) => {
    const shown = points.filter((point) => point.every(Number.isFinite));
    const bars = (errors ?? []).map((error, k) => ({
      x: points[k][0],
      low: points[k][1] - error,
      high: points[k][1] + error,
    }));
    const whiskers = Plot.ruleX(bars, { x: 'x', y1: 'low', y2: 'high', stroke: colour(i), strokeWidth: 1.2 });
    const line = Plot.line(shown, { x: '0', y: '1', stroke: colour(i), strokeWidth: 1.6 });
    return dots ? [whiskers, line, Plot.dot(shown, { x: '0', y: '1', fill: colour(i), r: 2.5 })] : [line];
  });
  const names = series.map(({ name }) => name);
  return { ...figure(title, caption, { ...axes, marks }, names), series };
}

/** A histogram of each series, as shares of its values, over equal bins of `domain`. */
export function histogram(
  title: string,
  caption: string,
  label: string,
  series: readonly { name: string; values: ArrayLike<number> }[],
  domain: readonly [number, number],
  bins = 40,
): Figure {
  const width = (domain[1] - domain[0]) / bins;
  const shares = series.map(({ name, values }) => {
    const counts = new Float64Array(bins);
    for (const value of Array.from(values)) {
      const bin = Math.floor((value - domain[0]) / width);
      if (bin >= 0 && bin < bins) counts[bin] += 1 / values.length;
    }
    const points = Array.from(counts, (share, i): [number, number] => [domain[0] + (i + 0.5) * width, share]);
    return { name, points };
  });
  return lines(title, caption, { x: { label }, y: { label: 'share of values in a bin' } }, shares, false);
}

/** A function's values on a grid, row 0 at the top, as an image in its axes. */
export interface HeatMap {
  readonly values: ArrayLike<number>;
  readonly columns: number;
  readonly rows: number;
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

/** Points in the same axes, to stand beside what their density is. */
export interface PointMap {
  readonly points: readonly (readonly number[])[];
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

/**
 * Side by side, or one large one, on one scale of colours from dark (`range[0]`, or the least value) to bright, with a bar that tells
 * it where there are colours; points are drawn as such.
 *
 * @param unit of the values
 */
export function heatMaps(
  title: string,
  caption: string,
  labels: { x: string; y: string; unit: string },
  maps: readonly ((HeatMap | PointMap) & { name: string })[],
  range?: readonly [number, number],
): Figure {
  const [side, gap, top, left] = [maps.length > 1 ? 220 : 560, 14, 36, 45];
  const all = maps.flatMap((map) => ('values' in map ? Array.from(map.values) : []));
  const coloured = all.length > 0;
  const extent = range ?? (coloured ? extentOf(all) : [0, 1]);
  const heightOf = (map: HeatMap | PointMap) => ('values' in map ? Math.round((side * map.rows) / map.columns) : side);
  const panels = maps.map((map, i) => {
    const height = heightOf(map);
    const content =
      'values' in map
        ? picture(map, extent, [side, height])
        : Plot.dot(map.points.filter(within(map)), {
            x: '0',
            y: '1',
            r: map.points.length > 500 ? 0.8 : 1.6,
            fill: '#222',
          });
    return svg({
      width: side + left + gap,
      height: height + top + 40,
      marginLeft: left,
      marginRight: gap,
      marginTop: top,
      marginBottom: 40,
      x: { domain: map.x, label: labels.x, ticks: 5 },
      y: { domain: map.y, label: i === 0 ? labels.y : null, ticks: 5 },
      marks: [content, Plot.text([map.name], { frameAnchor: 'top', dy: -30, text: (name: string) => name })],
    });
  });
  const bar = colourBar(extent, labels.unit, Math.max(...maps.map(heightOf)) + top + 40, [top, 40]);
  return { title, caption, legend: [], svg: [...panels, ...(coloured ? [bar] : [])].join('') };
}

function extentOf(values: readonly number[]): [number, number] {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function within({ x, y }: PointMap): (point: readonly number[]) => boolean {
  return ([a, b]) => a >= Math.min(...x) && a <= Math.max(...x) && b >= Math.min(...y) && b <= Math.max(...y);
}

function picture(map: HeatMap, extent: readonly [number, number], [width, height]: readonly number[]): Plot.Markish {
  return Plot.image([0], {
    x: () => (map.x[0] + map.x[1]) / 2,
    y: () => (map.y[0] + map.y[1]) / 2,
    src: () => png(map, extent),
    width,
    height,
    preserveAspectRatio: 'none',
    imageRendering: 'pixelated',
  });
}

/** Pictures as they are, side by side, each enlarged by whole pixels to about as wide as the others. */
export function pictures(title: string, caption: string, list: readonly { name: string; image: Image }[]): Figure {
  const panels = list.map(({ name, image }) => {
    const larger = Math.max(1, Math.floor(250 / image.width));
    const [width, height] = [larger * image.width, larger * image.height];
    const src = `data:image/png;base64,${Buffer.from(encodePng(image)).toString('base64')}`;
    return svg({
      width: width + 20,
      height: height + 40,
      margin: 0,
      marginTop: 30,
      grid: false,
      x: { domain: [0, 1], range: [0, width], axis: null },
      y: { domain: [0, 1], range: [height + 30, 30], axis: null },
      marks: [
        Plot.image([0], { x: () => 0.5, y: () => 0.5, src: () => src, width, height, imageRendering: 'pixelated' }),
        Plot.text([name], { x: () => 0, y: () => 1, dy: -12, textAnchor: 'start', text: (told: string) => told }),
      ],
    });
  });
  return { title, caption, legend: [], svg: panels.join('') };
}

/** What the colours stand for. */
function colourBar(
  extent: readonly [number, number],
  unit: string,
  height: number,
  [top, bottom]: readonly number[],
): string {
  const [width, left] = [14, 50];
  const rows = 128;
  const values = Array.from({ length: rows }, (_, i) => extent[1] + ((extent[0] - extent[1]) * i) / (rows - 1));
  const map: HeatMap = { values, columns: 1, rows, x: [0, 1], y: extent };
  return svg({
    width: width + left + 40,
    height,
    marginLeft: left,
    marginRight: 40,
    marginTop: top,
    marginBottom: bottom,
    grid: false,
    x: { domain: [0, 1], axis: null },
    y: { domain: extent, label: unit, labelAnchor: 'top', ticks: 5 },
    marks: [picture(map, extent, [width, height - top - bottom])],
  });
}

/** A picture of a grid's values as a data URL. */
function png({ values, columns, rows }: HeatMap, [low, high]: readonly [number, number]): string {
  const scale = Plot.scale({ color: { type: 'linear', scheme: 'viridis', domain: [0, 255] } });
  const table = Array.from({ length: 256 }, (_, i) => channels(scale.apply(i) as string));
  const image: Image = { width: columns, height: rows, channels: 3, samples: allocSamples(columns * rows * 3, 255) };
  for (let i = 0; i < columns * rows; i++) {
    const level = Math.round((255 * (values[i] - low)) / (high - low || 1));
    image.samples.set(table[Math.min(255, Math.max(0, level || 0))], 3 * i);
  }
  return `data:image/png;base64,${Buffer.from(encodePng(image)).toString('base64')}`;
}

/** Red, green and blue of `#rrggbb` or `rgb(r, g, b)`. */
function channels(text: string): number[] {
  if (text.startsWith('#')) return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16));
  return text.match(/\d+/g)!.slice(0, 3).map(Number);
}
