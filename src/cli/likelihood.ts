import type { Command } from 'commander';
import { type Limits, readImage } from '../index.js';
import { type CodeLength, codeLength } from '../likelihood.js';
import { modelsForEncoding } from '../models.js';
import { addAdapt, addLimits, addModel } from './options.js';
import { forEachFile, print } from './report.js';

export function addLikelihood(program: Command): void {
  const command = program
    .command('likelihood')
    .description("hold real code length against the model's negative log-likelihood")
    .argument('<file...>', 'images');
  addLimits(addAdapt(addModel(command)))
    .addHelpText(
      'after',
      `
Examples:
  cnfzip likelihood photo.png                file, net bits and likelihood in bits per sample
  cnfzip likelihood --model fast a.png b.png`,
    )
    .action(async (files: string[], given: { model?: string; adapt: boolean } & Limits) => {
      const { model, adapt, ...limits } = given;
      await forEachFile(files, false, async (file) => {
        const image = await readImage(file, limits);
        const lengths = await codeLength(image, await modelsForEncoding(image.channels, model), adapt);
        await print(`${file}: ${format(lengths, image.samples.length)}`);
      });
    });
}

function format({ file, container, net, ideal, tiles }: CodeLength, samples: number): string {
  const rate = (bits: number) => (bits / samples).toFixed(4);
  const stacks = (file - container - net) / 8 / tiles;
  return [
    `file ${rate(file)}, net ${rate(net)}, likelihood ${rate(ideal)} bits per sample`,
    `net / likelihood ${(100 * (net / ideal - 1)).toFixed(3)} %`,
    `container ${container / 8} bytes`,
    `each of ${tiles} tiles ${stacks.toFixed(1)} bytes over its net bits`,
  ].join('; ');
}
