/**
 * Where every bit of a compressed image went: by level, pass and channel, each coordinate's bits by the slots that it owned; what is left are
 * the ends of the stacks and the container. And what the flow's dependence on the channels before is worth.
 */

import * as Plot from '@observablehq/plot';
import { PASSES } from '../../../models/definition.js';
import { codeLength } from '../../measure/likelihood.js';
import { modelsForEncoding } from '../../session/models.js';
import { type Account, account, type Entry } from '../account.js';
import { fixture } from '../data/fixtures.js';
import { atLeast, atMost, type Experiment, significant, type Table } from '../experiment.js';
import { colour, type Figure, figure, heatMaps } from '../figures.js';

const CHANNELS = ['Y', 'Co', 'Cg'];

export const experiment: Experiment = {
  title: 'Where did every bit of a compressed photograph go?',
  claim:
    'The file is the flow’s negative log-likelihood and next to nothing else. Three quarters of the sites lie on the finest level, and most bits with them; luma costs more than ' +
    'either chroma channel, and what luma tells of chroma at the same site saves bits.',

  async run({ quick, log }) {
    const name = quick ? 'river-160x120' : 'kodim23';
    const image = await fixture(name);
    const models = await modelsForEncoding(image.channels);
    const found = await account(image, models);
    const { ideal, net } = await codeLength(image, models);
    const { entries, plain, ends, container, file, pixels } = found;
    const sum = (of: readonly Entry[]) => of.reduce((total, { bits }) => total + bits, 0);
    const total = sum(entries) + plain + ends + container;
    const where = (key: keyof Entry, value: Entry[keyof Entry]) => sum(entries.filter((entry) => entry[key] === value));
    const saved = entries.reduce((total, { bits, alone }) => total + alone - bits, 0);
    const chroma = entries.filter(({ channel }) => channel > 0);
    const turned =
      chroma.reduce((all, { divergence }) => all + divergence, 0) / chroma.reduce((all, { count }) => all + count, 0);
    const mapped = pixels.reduce((a, b) => a + b, 0);
    log(`${name}: ${file} bits, ${total.toFixed(2)} accounted for`);
    const pixelCount = image.width * image.height;
    return {
      configuration: {
        image: `fixtures/${name}.png, ${image.width} x ${image.height}`,
        model: `${models[0].name} (${models[0].hash})`,
        'file, bytes': file / 8,
      },
      checks: [
        atMost(
          'file less all that is accounted for (what the stacks gained less its parts)',
          Math.abs(file - total),
          1,
          'bits',
        ),
        atMost('bits of the sites less those of the map of pixels', Math.abs(sum(entries) - mapped), 0.01, 'bits'),
        atMost('net bits against -log2 P', 100 * Math.abs(net / ideal - 1), 0.02, '%'),
        atMost('container and ends of stacks', (100 * (container + ends)) / file, 1, '% of the file'),
        atLeast('what the channels before save', (100 * saved) / file, 0, '% of the file'),
        atLeast(
          'divergence of chroma that depends on the channels before: mean magnitude',
          turned,
          0.01,
          'bits per coordinate',
        ),
        atLeast('finest level', (100 * where('level', 0)) / file, 50, '% of the file'),
        atLeast(
          'luma over the costlier chroma channel',
          where('channel', 0) / Math.max(where('channel', 1), where('channel', 2)),
          1,
          'times',
        ),
      ],
      figures: [
        byLevel(found),
        byChannel(found),
        heatMaps(
          'Bits of each pixel',
          'Net bits of a pixel’s three samples, dark: 0, bright: 24 or more. Pixels of coarse lattices, coded first with little to go by, stand out as dots.',
          { x: 'x, pixels', y: 'y, pixels', unit: 'bits' },
          [
            {
              name,
              values: pixels,
              columns: image.width,
              rows: image.height,
              x: [0, image.width],
              y: [image.height, 0],
            },
          ],
          [0, 24],
        ),
      ],
      tables: [
        {
          title: 'The file',
          columns: ['what', 'bits', 'bits per pixel', '% of the file'],
          rows: [
            ...CHANNELS.map((name, channel) => [name, where('channel', channel)] as const),
            ['coded plainly: top samples and textures', plain] as const,
            ['ends of the stacks', ends] as const,
            ['container', container] as const,
            ['together', total] as const,
            ['the file', file] as const,
          ].map(([what, bits]) => [
            what,
            bits.toFixed(1),
            significant(bits / pixelCount),
            ((100 * bits) / file).toFixed(3),
          ]),
        },
        detail(found),
      ],
      notes: [
        'The bits of a coordinate are those of the slots that its bin owned, of 2^24; nothing else is pushed for it. What is coded plainly is counted by the number of its symbols; the ends of ' +
          'the stacks and the container are what payloads and file are longer.',
        'How a flow divides its likelihood between normalization and divergence is a matter of gauge: any affine part can move from one to the other. What is no gauge is what depends on ' +
          'other coordinates, which no normalization by the context sees: by how much the divergence of a coordinate’s field changes with the channels before it (its magnitude is in the last column; 0 for luma, ' +
          'which has none), and a coordinate’s bits beside those that it would take if shear and field saw zeros in place of the channels before it. The model was not trained to do without, so this is ' +
          'the worth of what it uses, not the mutual information of the channels.',
      ],
    };
  },
};

/** Bars of the levels, one part for each channel. */
function byLevel({ entries }: Account): Figure {
  const bars = entries.map(({ level, channel, bits }) => ({ level, channel, kilobits: bits / 1000 }));
  const marks = [
    Plot.barX(bars, { x: 'kilobits', y: 'level', fill: (bar: { channel: number }) => colour(bar.channel) }),
  ];
  const axes = { x: { label: 'kilobits' }, y: { label: 'pyramid level (0: finest)', type: 'band' as const } };
  return figure('Bits by level and channel', 'Sums over all passes.', { ...axes, marks }, CHANNELS);
}

function byChannel({ entries }: Account): Figure {
  const bars = PASSES.flatMap((pass) =>
    CHANNELS.map((name, channel) => {
      const own = entries.filter((entry) => entry.pass === pass && entry.channel === channel);
      return { pass, channel, name, kilobits: own.reduce((sum, { bits }) => sum + bits, 0) / 1000 };
    }),
  );
  const marks = [
    Plot.barX(bars, { x: 'kilobits', y: 'pass', fill: (bar: { channel: number }) => colour(bar.channel) }),
  ];
  const axes = { x: { label: 'net kilobits' }, y: { label: 'pass', type: 'band' as const, domain: PASSES } };
  const caption =
    'Of all levels. D is coded first, from the coarser level alone; H and V know more of their neighbours.';
  return figure('Net bits by pass and channel', caption, { height: 200, ...axes, marks }, CHANNELS);
}

/** Bits of every level, pass and channel, and what they would be without the channels before. */
function detail({ entries }: Account): Table {
  return {
    title: 'Bits by level, pass and channel',
    columns: [
      'level',
      'pass',
      'channel',
      'bits',
      'without the channels before',
      'saved, %',
      'divergence that depends on them, bits per coordinate',
    ],
    rows: entries.map(({ level, pass, channel, bits, alone, count, divergence }) => [
      level,
      pass,
      CHANNELS[channel],
      bits.toFixed(1),
      alone.toFixed(1),
      (100 * (1 - bits / alone)).toFixed(2),
      (divergence / count).toFixed(4),
    ]),
  };
}
