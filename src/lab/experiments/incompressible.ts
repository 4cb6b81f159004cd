/**
 * Liouville's theorem: a flow without divergence keeps volumes, so log-density is constant along its paths. The field comes from a
 * stream function in the plane, and from skew-symmetric matrices in more dimensions (models/fields/incompressible.ts).
 */

import * as Plot from '@observablehq/plot';
import * as tf from '@tensorflow/tfjs-core';
import { dual } from '../../../models/fields/dual.js';
import type { VectorField } from '../../../models/fields/field.js';
import { incompressible } from '../../../models/fields/incompressible.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { divergenceOf, exactDivergence } from '../../cnf/divergence.js';
import { cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { atLeast, atMost, type Experiment } from '../experiment.js';
import { colour, type Figure, figure } from '../figures.js';
import { polygonArea } from '../statistics.js';

const HIDDEN = 32;
const STEPS = 40;
/** Corners of the polygon that stands for a disc. */
const CORNERS = 4000;
/** Of those, every so many-th is drawn. */
const DRAWN = 25;

export const experiment: Experiment = {
  title: 'Does a field without divergence keep volumes and log-density?',
  claim:
    'A field made from a stream function (in more dimensions: from a skew-symmetric matrix of potentials) has divergence 0 whatever its weights. ' +
    'Its flow keeps areas and keeps log-density constant along every path; a free-form field does neither.',

  async run({ quick, random }) {
    const points = quick ? 500 : 4000;
    const weights = () => new Weights(random);
    const fields: Record<string, VectorField> = {
      'stream function, 2-D': incompressible(weights(), { dimension: 2, hidden: HIDDEN }),
      'skew-symmetric, 3-D': incompressible(weights(), { dimension: 3, hidden: HIDDEN }),
      'skew-symmetric, 10-D': incompressible(weights(), { dimension: 10, hidden: HIDDEN }),
      'free-form (MLP), 2-D': mlp(weights(), { dimension: 2, hidden: [HIDDEN], time: 'concatenated', outputGain: 1 }),
    };
    const rows = Object.entries(fields).map(([name, field]) => {
      const x = tf.tensor2d(
        Float32Array.from({ length: points * field.dimension }, () => random.normal()),
        [points, field.dimension],
      );
      return { name, ...divergences(field, x), ...alongPaths(field, x) };
    });
    const [planar, , , free] = Object.values(fields);
    const areas = [planar, free].map(discs);
    const largest = (key: 'divergence' | 'change' | 'speed', of: typeof rows) => Math.max(...of.map((row) => row[key]));
    const without = rows.slice(0, 3);
    return {
      configuration: {
        points,
        'hidden units': HIDDEN,
        solver: `RK4, ${STEPS} steps`,
        times: '0 to 1',
        polygon: `${CORNERS} corners`,
      },
      checks: [
        atMost(
          'largest |divergence| of the fields without divergence',
          largest('divergence', without),
          1e-4,
          'per unit of time',
        ),
        atMost('largest change of log-density along a path', largest('change', without), 1e-4, 'nats'),
        atMost(
          'change of a disc’s area, stream function',
          Math.abs(areas[0].after / areas[0].before - 1),
          1e-3,
          'of the area',
        ),
        atLeast(
          'change of a disc’s area, free-form field',
          Math.abs(areas[1].after / areas[1].before - 1),
          0.02,
          'of the area',
        ),
        atLeast('largest |divergence| of the free-form field', rows[3].divergence, 0.1, 'per unit of time'),
      ],
      figures: [
        outlines('Discs carried by the stream function’s flow', planar, areas[0]),
        outlines('The same discs carried by a free-form flow', free, areas[1]),
      ],
      tables: [
        {
          title: 'Fields with random weights',
          columns: ['field', 'root mean square speed', 'largest |divergence|', 'largest change of log-density, nats'],
          rows: rows.map(({ name, speed, divergence, change }) => [name, speed, divergence, change]),
        },
        {
          title: 'Area of the discs together',
          columns: ['field', 'at t = 0', 'at t = 1'],
          rows: areas.map(({ before, after }, i) => [i === 0 ? 'stream function' : 'free-form', before, after]),
        },
      ],
      notes: [
        'The divergence is measured as the trace of the Jacobian by Jacobian-vector products; what is left of it is float32 rounding. The area is that of ' +
          'polygons whose corners are carried by the flow. Such a field can only move mass about: a flow that consists of it alone has the base’s density values everywhere.',
      ],
    };
  },
};

function divergences(field: VectorField, x: tf.Tensor2D): { divergence: number; speed: number } {
  return scoped(() => {
    const probes = exactDivergence(x.shape[0], field.dimension);
    const { value, tangents } = field.at(dual(x, probes.directions), 0.5);
    return {
      divergence: tf.max(tf.abs(divergenceOf(tangents!, probes))).dataSync()[0],
      speed: Math.sqrt(tf.mean(tf.sum(tf.square(value), 1)).dataSync()[0]),
    };
  });
}

function alongPaths(field: VectorField, x: tf.Tensor2D): { change: number } {
  return scoped(() => {
    const { logDet } = cnf(field, { method: { solver: rk4, steps: STEPS } }).forward(x);
    return { change: tf.max(tf.abs(logDet)).dataSync()[0] };
  });
}

interface Discs {
  /** Outlines at t = 0 and t = 1. */
  readonly outlines: readonly [number, number][][];
  readonly before: number;
  readonly after: number;
}

/** Four discs and what becomes of them. */
function discs(field: VectorField): Discs {
  const centres = [-1, 1].flatMap((x) => [-1, 1].map((y) => [x, y]));
  const flow = cnf(field, { method: { solver: rk4, steps: STEPS } });
  const circles = centres.map(([x, y]) =>
    Array.from({ length: CORNERS }, (_, i): [number, number] => {
      const angle = (2 * Math.PI * i) / CORNERS;
      return [x + 0.6 * Math.cos(angle), y + 0.6 * Math.sin(angle)];
    }),
  );
  const carried = circles.map((circle) =>
    scoped(() => (flow.path(tf.tensor2d(circle)).state[0] as tf.Tensor2D).arraySync() as [number, number][]),
  );
  const area = (outlines: [number, number][][]) => outlines.map(polygonArea).reduce((a, b) => a + b);
  return { outlines: [...circles, ...carried], before: area(circles), after: area(carried) };
}

function outlines(title: string, field: VectorField, { outlines: shapes, before, after }: Discs): Figure {
  const arrows = Array.from({ length: 225 }, (_, i) => [((i % 15) - 7) / 2.8, (Math.floor(i / 15) - 7) / 2.8]);
  const speeds = scoped(() => field.at({ value: tf.tensor2d(arrows) }, 0.5).value.arraySync());
  const axes = { domain: [-3, 3], ticks: 7 };
  const marks = [
    Plot.vector(arrows, {
      x: '0',
      y: '1',
      length: (_: unknown, i: number) => 8 * Math.hypot(...speeds[i]),
      rotate: (_: unknown, i: number) => (Math.atan2(speeds[i][0], speeds[i][1]) * 180) / Math.PI,
      stroke: '#bbb',
    }),
    ...shapes.map((shape, i) =>
      Plot.line([...shape.filter((_, k) => k % DRAWN === 0), shape[0]], {
        x: '0',
        y: '1',
        stroke: colour(i < 4 ? 0 : 2),
        fill: colour(i < 4 ? 0 : 2),
        fillOpacity: 0.15,
      }),
    ),
  ];
  const percent = (100 * Math.abs(after / before - 1)).toFixed(2);
  return {
    ...figure(title, `Arrows: the field at t = 0.5. Together the discs' area changes by ${percent} %.`, {
      width: 460,
      height: 460,
      x: { label: 'x', ...axes },
      y: { label: 'y', ...axes },
      marks,
    }),
    legend: [
      { name: 't = 0', colour: colour(0) },
      { name: 't = 1', colour: colour(2) },
    ],
  };
}
