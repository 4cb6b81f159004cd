/**
 * The codec's flow goes on learning while it codes (`codec/flow/adaptation.ts`, `correction.ts`). What that adds is measured along the way, at
 * the same sites with and without: bits on the stack against the position in the order of coding.
 */

import { forwardColour } from '../../../codec/flow/colour.js';
import { type AdaptationRates, type Model, paceOf } from '../../../codec/flow/model.js';
import { plainBits, TileCodec, TRACED, type Trace } from '../../../codec/flow/tile-codec.js';
import { PASSES } from '../../../models/definition.js';
import { modelsForEncoding } from '../../session/models.js';
import { OWN_PHOTOGRAPHS, type Photograph, photographs, toldPhotographs } from '../data/photographs.js';
import { atLeast, atMost, contest, type Experiment } from '../experiment.js';
import { lines } from '../figures.js';
import { type Spread, spread } from '../spread.js';
import { mean } from '../statistics.js';

/** Pieces of the way through an image. */
const PIECES = 16;

/** What learns. */
type Way = 'nothing' | 'heads and field' | 'correction' | 'both' | 'last blocks, too';
const WAYS: readonly Way[] = ['nothing', 'heads and field', 'correction', 'both', 'last blocks, too'];

const OFF: AdaptationRates = { head: 0, field: 0, correction: 0, block: 0 };

/** Bits of every sample, channels together, in the order of coding: of each pixel its three samples. */
type Walk = Float64Array;

interface Coded {
  readonly photograph: Photograph;
  readonly walks: Record<Way, Walk>;
  /** Of all that the stack took, what the walk does not account for: the largest of all ways. */
  readonly unaccounted: number;
}

export const experiment: Experiment = {
  title: 'What does learning while coding add?',
  claim:
    'A trained network meets grain, sharpness and colours that it has not seen. A flow that takes a step of learning after every 64 sites, on what encoder and decoder both know by then, ' +
    'needs fewer bits, and the more of the image it has seen the more it saves.',

  async run({ quick, data, log }) {
    const names = quick ? ['default'] : ['fast', 'default', 'best'];
    const list = await photographs(data, quick ? 192 : 1024, quick ? 4 : 8);
    const byModel = new Map<string, Coded[]>();
    for (const name of names) {
      const [model] = await modelsForEncoding(3, name);
      const coded: Coded[] = [];
      for (const photograph of list) {
        coded.push(await code(photograph, model));
        log(`${name}, ${photograph.name}: ${saved(coded.at(-1)!.walks, 'both').toFixed(2)} % saved`);
      }
      byModel.set(name, coded);
    }
    const main = byModel.get('default')!;
    const each = (coded: readonly Coded[], number: (one: Coded) => number): Spread => spread(coded.map(number));
    const grown = each(main, ({ walks }) => grownWithin(savedAlong(walks, 'both')));
    const both = each(
      main,
      ({ walks }) => saved(walks, 'both') - Math.max(saved(walks, 'heads and field'), saved(walks, 'correction')),
    );
    const whole = [...byModel].map(([name, coded]) => ({
      name,
      gain: each(coded, ({ walks }) => saved(walks, 'both')),
    }));
    return {
      configuration: {
        images: toldPhotographs(list),
        models: names.join(', '),
        'a tile': 'each image, coded as one; bits on the stack, not of files',
        spread: `over ${list.length} images`,
        data: `more photographs: PNG files in ${OWN_PHOTOGRAPHS} in the folder of --data`,
      },
      checks: [
        atMost(
          'bits of the stack less those of the sites, the largest',
          Math.max(...main.map(({ unaccounted }) => Math.abs(unaccounted))),
          0.1,
          '% of all',
        ),
        ...whole.map(({ name, gain }) => atLeast(`${name}: saved by learning`, gain, 0.5, '% of the bits')),
        atLeast(
          'default: saved on the image that learns worst',
          Math.min(...main.map(({ walks }) => saved(walks, 'both'))),
          -0.25,
          '% of the bits',
        ),
      ],
      contests: [
        ...whole.map(({ name, gain }) =>
          contest(
            `${name}: learning saves bits`,
            gain,
            '% of the bits',
            'These images are what the model was trained on, or too small to learn from.',
          ),
        ),
        contest(
          'in a pass of the finest level the last quarter saves more than the first',
          grown,
          '% of the bits there',
          'What is learned first, the grain and the scale, is worth most, and the rest of the pass adds nothing to it.',
        ),
        contest(
          'heads and correction together save more than the better of them alone',
          both,
          '% of the bits',
          'Both learn the same there.',
        ),
      ],
      figures: [
        lines(
          'Bits along the way',
          'Mean over images of bits per sample at equal parts of the way through the image: coarse levels come first; of the finest, pass D begins at 0.25 of the way, H at 0.5, V at 0.75. Bars: standard error over images.',
          { x: { label: 'position in the order of coding, of the whole' }, y: { label: 'bits per sample' } },
          (['nothing', 'both'] as const).map((way) =>
            along(way === 'both' ? 'learning' : 'not learning', main, ({ walks }) => pieces(walks[way])),
          ),
        ),
        lines(
          'What learning saves along the way',
          'Bits saved at the same sites, in % of those that the flow takes that does not learn. Each at its own rates; bars: standard error over images.',
          { x: { label: 'position in the order of coding, of the whole' }, y: { label: 'saved, %' } },
          WAYS.slice(1).map((way) => along(way, main, ({ walks }) => savedAlong(walks, way))),
        ),
        lines(
          'What learning saves, by what it has seen',
          'The same against the number of pixels coded before, in octaves, by model; where at least two images are so large. Bars: standard error over images.',
          { x: { label: 'pixels coded before', type: 'log', tickFormat: '~s', ticks: 6 }, y: { label: 'saved, %' } },
          [...byModel].map(([name, coded]) => byOctave(name, coded)),
        ),
      ],
      tables: [
        {
          title: 'All images',
          columns: ['model', 'not learning, bits per sample', ...WAYS.slice(1).map((way) => `${way}: saved, %`)],
          rows: [...byModel].map(([name, coded]) => [
            name,
            each(coded, ({ walks }) => mean(walks.nothing) / 3),
            ...WAYS.slice(1).map((way) => each(coded, ({ walks }) => saved(walks, way))),
          ]),
        },
        {
          title: 'Each image, model default',
          columns: [
            'image',
            'pixels',
            'not learning, bits per sample',
            ...WAYS.slice(1).map((way) => `${way}: saved, %`),
          ],
          rows: main.map(({ photograph: { name }, walks }) => [
            name,
            walks.nothing.length,
            mean(walks.nothing) / 3,
            ...WAYS.slice(1).map((way) => saved(walks, way)),
          ]),
        },
      ],
      notes: [
        'No side information is sent: the decoder takes the same steps. The states that the heads read stay what training made them, so what is learned is how to read them.',
      ],
    };
  },
};

const sum = (a: number, b: number) => a + b;

async function code(photograph: Photograph, model: Model): Promise<Coded> {
  const { image } = photograph;
  const samples = forwardColour(image.samples, 3);
  const shape = { width: image.width, height: image.height, depth: 8 };
  let unaccounted = 0;
  const walk = async (rates: AdaptationRates | undefined) => {
    const flow = {
      model: { ...model, rates: rates ?? OFF },
      learning: rates ? ('blocks' as const) : ('none' as const),
    };
    const trace: Trace = [];
    const { netBits } = (await TileCodec.create(flow)).encode(samples, shape, trace);
    const bits = inOrder(trace);
    const all = netBits - 3 * plainBits(shape.depth);
    const missed = 100 * (bits.reduce(sum) / all - 1);
    if (Math.abs(missed) > Math.abs(unaccounted)) unaccounted = missed;
    return bits;
  };
  const { rates } = model;
  const walks = {
    nothing: await walk(undefined),
    'heads and field': await walk({ ...rates, correction: 0, block: 0 }),
    correction: await walk({ ...OFF, correction: rates.correction }),
    both: await walk(paceOf(rates, 'heads')),
    'last blocks, too': await walk(rates),
  };
  return { photograph, walks, unaccounted };
}

/** A trace's bits of each pixel in the order of coding: the coarsest level first. */
function inOrder(trace: Trace): Walk {
  const bits: number[] = [];
  for (const passes of [...trace].reverse()) {
    for (const pass of PASSES) {
      for (let at = 0; at < passes[pass].length; at += 3 * TRACED) {
        bits.push(passes[pass][at] + passes[pass][at + TRACED] + passes[pass][at + 2 * TRACED]);
      }
    }
  }
  return Float64Array.from(bits);
}

/** Saved of a whole image, in % of what it takes without learning. */
function saved(walks: Record<Way, Walk>, way: Way): number {
  return 100 * (1 - walks[way].reduce(sum) / walks.nothing.reduce(sum));
}

/** The same of each piece of the way. */
function savedAlong(walks: Record<Way, Walk>, way: Way): number[] {
  const [without, with_] = [pieces(walks.nothing), pieces(walks[way])];
  return without.map((bits, i) => 100 * (1 - with_[i] / bits));
}

/** What the last quarter of each pass of the finest level, which all have a quarter of the way, saves more than its first. */
function grownWithin(along: readonly number[]): number {
  const quarter = PIECES / 4;
  return mean(PASSES.map((_, i) => along[(i + 2) * quarter - 1] - along[(i + 1) * quarter]));
}

/** Bits per sample of each piece of the way. */
function pieces(walk: Walk): number[] {
  const border = (i: number) => Math.round((i * walk.length) / PIECES);
  return Array.from({ length: PIECES }, (_, i) => mean(walk.subarray(border(i), border(i + 1))) / 3);
}

function along(name: string, coded: readonly Coded[], curve: (one: Coded) => number[]) {
  const curves = coded.map(curve);
  const spreads = Array.from({ length: PIECES }, (_, i) => spread(curves.map((values) => values[i])));
  return {
    name,
    points: spreads.map((one, i): [number, number] => [(i + 0.5) / PIECES, one.mean]),
    errors: spreads.map(({ error }) => error),
  };
}

/** Least pixels of an octave that is shown. */
const FIRST_OCTAVE = 256;

function byOctave(name: string, coded: readonly Coded[]) {
  const points: [number, number][] = [];
  const errors: number[] = [];
  for (let from = FIRST_OCTAVE; ; from *= 2) {
    const reach = coded.filter(({ walks }) => walks.both.length >= 2 * from);
    if (reach.length < 2) break;
    const gains = spread(
      reach.map(({ walks }) => {
        const octave = (walk: Walk) => walk.subarray(from, 2 * from).reduce(sum);
        return 100 * (1 - octave(walks.both) / octave(walks.nothing));
      }),
    );
    points.push([Math.SQRT2 * from, gains.mean]);
    errors.push(gains.error);
  }
  return { name, points, errors };
}
