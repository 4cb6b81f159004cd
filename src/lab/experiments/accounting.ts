/**
 * Where every bit of a compressed image went. The coder's stack keeps the flow's account in real bits: popped for dequantization, paid for
 * normalization and for the divergence of each sub-step, pushed for the base symbols; what is left are the ends of the stacks and the container.
 */

import * as Plot from '@observablehq/plot';
import { COMPONENTS } from '../../../codec/flow/tile-codec.js';
import { PASSES } from '../../../models/definition.js';
import { codeLength } from '../../likelihood.js';
import { modelsForEncoding } from '../../models.js';
import { type Account, account, type Entry } from '../account.js';
import { fixture } from '../data/fixtures.js';
import { atLeast, atMost, type Experiment, significant, type Table } from '../experiment.js';
import { colour, type Figure, figure, heatMaps } from '../figures.js';

const CHANNELS = ['Y', 'Co', 'Cg'];

export const experiment: Experiment = {
  title: 'Where did every bit of a compressed photograph go?',
  claim:
    'The file is the flow’s account: base symbols less what dequantization gives back, plus or minus what volume changes cost, and next to nothing else. Three quarters of ' +
    'the sites lie on the finest level, and most bits with them; luma costs more than either chroma channel.',

  async run({ quick, log }) {
    const name = quick ? 'river-160x120' : 'kodim23';
    const image = await fixture(name);
    const models = await modelsForEncoding(image.channels);
    const found = await account(image, models);
    const { elbo, net } = await codeLength(image, models);
    const { entries, plain, ends, container, file, pixels } = found;
    const sum = (of: readonly Entry[]) => of.reduce((total, { bits }) => total + bits, 0);
    const total = sum(entries) + plain + ends + container;
    const where = (key: keyof Entry, value: Entry[keyof Entry]) => sum(entries.filter((entry) => entry[key] === value));
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
        atMost('net bits against ELBO', 100 * Math.abs(net / elbo - 1), 0.2, '%'),
        atMost('container and ends of stacks', (100 * (container + ends)) / file, 1, '% of the file'),
        atLeast('bits that dequantization gives back', -where('component', 'dequantization'), 1, 'bits'),
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
          { x: 'x, pixels', y: 'y, pixels' },
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
            ...COMPONENTS.map((component) => [component, where('component', component)] as const),
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
        'The bits of a component are the change of the stack’s information, 32 bits a word and the logarithm of the state, over one step of the encoder; nothing is computed from a model of the cost. What is coded plainly is counted by the number of its symbols; the ends of ' +
          'the stacks and the container are what payloads and file are longer. ' +
          'Dequantization takes bits off the stack, which the base symbols, coded on a grid as fine, bring back. Normalization by the local scale and the divergence of the ODE are changes of volume: where they expand, so that the base sees a wider distribution, they refund what the base symbols cost more.',
      ],
    };
  },
};

/** Bars of the levels, one part for each component; what is given back lies left of 0. */
function byLevel({ entries }: Account): Figure {
  const levels = Math.max(...entries.map(({ level }) => level)) + 1;
  const bars = Array.from({ length: levels }, (_, level) =>
    COMPONENTS.map((component, i) => {
      const own = entries.filter((entry) => entry.level === level && entry.component === component);
      return { level, i, kilobits: own.reduce((sum, { bits }) => sum + bits, 0) / 1000 };
    }),
  ).flat();
  const marks = [
    Plot.barX(bars, { x: 'kilobits', y: 'level', fill: (bar: { i: number }) => colour(bar.i) }),
    Plot.ruleX([0]),
  ];
  const axes = { x: { label: 'kilobits' }, y: { label: 'pyramid level (0: finest)', type: 'band' as const } };
  const caption =
    'Sums over all passes and channels; net bits of a level are what lies right of 0 less what lies left of it.';
  return figure('Bits by level and component', caption, { ...axes, marks }, COMPONENTS);
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

/** Components and net bits of every level, pass and channel. */
function detail({ entries }: Account): Table {
  const rows = entries
    .filter(({ component }) => component === COMPONENTS[0])
    .map(({ level, pass, channel }) => {
      const own = entries.filter((entry) => entry.level === level && entry.pass === pass && entry.channel === channel);
      const bits = COMPONENTS.map((component) => own.find((entry) => entry.component === component)!.bits);
      return [
        level,
        pass,
        CHANNELS[channel],
        ...[...bits, bits.reduce((a, b) => a + b)].map((value) => value.toFixed(1)),
      ];
    });
  return {
    title: 'Bits by level, pass, channel and component',
    columns: ['level', 'pass', 'channel', ...COMPONENTS, 'net'],
    rows,
  };
}
