import type { Command } from 'commander';
import { type Limits, readImage } from '../index.js';
import { type CodeLength, codeLength } from '../likelihood.js';
import { modelsForEncoding } from '../models.js';
import { addModelAndLimits } from './options.js';
import { forEachFile } from './report.js';

export function addLikelihood(program: Command): void {
  const command = program
    .command('likelihood')
    .description("hold real code length against the model's evidence lower bound")
    .argument('<file...>', 'images');
  addModelAndLimits(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip likelihood photo.png                file, net bits and ELBO in bits per sample
  cnfzip likelihood --model fast a.png b.png`,
    )
    .action(async (files: string[], { model, ...limits }: { model?: string } & Limits) => {
      await forEachFile(files, false, async (file) => {
        const image = await readImage(file, limits);
        const lengths = await codeLength(image, await modelsForEncoding(image.channels, model));
        process.stdout.write(`${file}: ${format(lengths, image.samples.length)}\n`);
      });
    });
}

function format({ file, container, net, elbo, tiles }: CodeLength, samples: number): string {
  const rate = (bits: number) => (bits / samples).toFixed(4);
  const stacks = (file - container - net) / 8 / tiles;
  return [
    `file ${rate(file)}, net ${rate(net)}, ELBO ${rate(elbo)} bits per sample`,
    `net / ELBO ${(100 * (net / elbo - 1)).toFixed(3)} %`,
    `container ${container / 8} bytes`,
    `each of ${tiles} tiles ${stacks.toFixed(1)} bytes over its net bits`,
  ].join('; ');
}
