/** The benchmark's results as text, CSV and a chart. */

import { dot, link, text } from '@observablehq/plot';
import { svg } from '../drawing/svg.js';
import type { Measurement } from './measure.js';

/** A codec's results over all files. */
interface Total {
  readonly codec: string;
  readonly bytes: number;
  /** Mean over the files of each file's bits per sample. */
  readonly bits: number;
  /** Megapixels a second. */
  readonly encode: number;
  readonly decode: number;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

export function totals(measurements: readonly Measurement[]): Total[] {
  const codecs = [...new Set(measurements.map(({ codec }) => codec))];
  return codecs.map((codec) => {
    const own = measurements.filter((m) => m.codec === codec);
    const megapixels = sum(own.map(({ pixels }) => pixels)) / 1e6;
    return {
      codec,
      bytes: sum(own.map(({ bytes }) => bytes)),
      bits: sum(own.map(({ bytes, samples }) => (8 * bytes) / samples)) / own.length,
      encode: megapixels / sum(own.map(({ encodeSeconds }) => encodeSeconds)),
      decode: megapixels / sum(own.map(({ decodeSeconds }) => decodeSeconds)),
    };
  });
}

/** A line for each codec; sizes also as ratios to `reference`, if it is there. */
export function table(results: readonly Total[], reference: string): string {
  const base = results.find(({ codec }) => codec === reference);
  const header = ['codec', 'bytes', 'bits/sample', 'MP/s enc', 'MP/s dec', base ? `size / ${base.codec}` : ''];
  const rows = results.map(({ codec, bytes, bits, encode, decode }) => [
    codec,
    bytes.toLocaleString('en'),
    bits.toFixed(4),
    encode.toPrecision(3),
    decode.toPrecision(3),
    base ? (bytes / base.bytes).toFixed(4) : '',
  ]);
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [header, ...rows].map((row) => line(row).trimEnd()).join('\n');
}

/** Every file under every codec. */
export function csv(measurements: readonly Measurement[]): string {
  const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
  const rows = measurements.map((m) =>
    [
      quoted(m.codec),
      quoted(m.file),
      m.pixels,
      m.bytes,
      ((8 * m.bytes) / m.samples).toFixed(4),
      m.encodeSeconds.toFixed(4),
      m.decodeSeconds.toFixed(4),
    ].join(','),
  );
  return `${['codec,file,pixels,bytes,bits_per_sample,encode_seconds,decode_seconds', ...rows].join('\n')}\n`;
}

/** What is so much larger than the smallest is left out of the chart, where the others would lie upon each other. */
const CHARTED = 1.3;

/**
 * Rate against speed: a dot for each codec and direction, the better ones down and to the right.
 *
 * @param own names of this project's codecs, which are written below their dots and in bold type
 */
export function chart(results: readonly Total[], own: ReadonlySet<string>): string {
  const least = Math.min(...results.map(({ bits }) => bits));
  const charted = results.filter(({ bits }) => bits < CHARTED * least);
  const names = (ours: boolean) =>
    text(
      charted.filter(({ codec }) => own.has(codec) === ours),
      {
        x: 'encode',
        y: 'bits',
        text: 'codec',
        textAnchor: 'start',
        fontWeight: ours ? 'bold' : 'normal',
        rotate: ours ? 30 : -30,
        dx: 7,
        dy: ours ? 7 : -7,
      },
    );
  return svg({
    ariaLabel: 'Bits per sample against speed',
    width: 800,
    height: 480,
    marginTop: 60,
    marginRight: 60,
    marginBottom: 50,
    x: {
      type: 'log',
      label: 'megapixels a second (filled: encoding, open: decoding)',
      nice: true,
      ticks: 4,
      tickFormat: String,
    },
    y: { label: 'bits per sample', grid: true, nice: true, inset: 30, ticks: 6 },
    marks: [
      link(charted, { x1: 'encode', x2: 'decode', y1: 'bits', y2: 'bits', stroke: '#ccc' }),
      dot(charted, { x: 'decode', y: 'bits', stroke: colourOf(own), fill: 'white', r: 5 }),
      dot(charted, { x: 'encode', y: 'bits', fill: colourOf(own), r: 5 }),
      names(true),
      names(false),
    ],
  });
}

function colourOf(own: ReadonlySet<string>): (total: Total) => string {
  return ({ codec }) => (own.has(codec) ? '#c2410c' : '#475569');
}
