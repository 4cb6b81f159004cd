/** The model card: everything that tells how a model came about, as Markdown. */

import type { Model } from '../../codec/flow/model.js';
import { modelParameters, multiplyAdds } from '../../models/definition.js';
import type { History } from './history.js';

/** @param heldOut bits per sample of held-out crops, if there were any */
export function modelCard(
  name: string,
  { definition, rates }: Pick<Model, 'definition' | 'rates'>,
  { runs, curve }: History,
  heldOut: number | undefined,
): string {
  const last = runs.at(-1)!;
  const pixels = runs.reduce((sum, run) => sum + run.pixels, 0);
  const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
  const rows = [
    ['channels', definition.channels === 1 ? '1 (gray)' : '3 (colour)'],
    ['definition', `\`${JSON.stringify(definition)}\``],
    ['parameters', modelParameters(definition).count.toLocaleString('en')],
    ['multiply-adds', `${Math.round(multiplyAdds(definition)).toLocaleString('en')} a pixel, all levels and the flow`],
    [
      'optimizer',
      'Muon for hidden matrices, Adam 0.9/0.99 for the rest; cosine rate after a warm-up, gradient norm clipped; the moving average of the weights is the model',
    ],
    [
      'augmentation',
      'flips and transposition; unless `--augment flips`, also scales from a half to 1, casts, saturation, Bayer patterns, sharpening, noise of random strength and colour that may grow with the light or be coarse, chroma at half its resolution',
    ],
    [
      'goes on learning',
      `at rates of ${rates.head} (heads), ${rates.field} (field), ${rates.correction} (correction) and ${rates.block} (last blocks)`,
    ],
    ['steps', last.toStep.toLocaleString('en')],
    ['pixels seen', `${(pixels / 1e9).toFixed(3)} gigapixels`],
    ['wall time', `${Math.round(seconds).toLocaleString('en')} s`],
    [
      'held-out',
      heldOut === undefined ? 'not measured' : `${heldOut.toFixed(4)} bits per sample (likelihood, not files)`,
    ],
  ];
  const history = runs.map(
    ({ command, images, engine, fromStep, toStep, seconds: took }) =>
      `- steps ${fromStep} to ${toStep}, ${Math.round(took)} s, ${images} images, ${engine}:\n  \`${command}\``,
  );
  return [
    `# ${name}`,
    '',
    '| | |',
    '|---|---|',
    ...rows.map(([key, value]) => `| ${key} | ${value} |`),
    '',
    ...history,
    '',
    ...(curve.length > 1 ? [`![learning curve](${name}.svg)`, ''] : []),
  ].join('\n');
}
