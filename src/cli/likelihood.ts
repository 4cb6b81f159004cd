import type { Command } from 'commander';
import { type Learning, type Limits, readImage } from '../index.js';
import { INPUT_EXTENSIONS } from '../io/formats.js';
import { type CodeLength, codeLength } from '../measure/likelihood.js';
import { modelsForEncoding } from '../session/models.js';
import { listInputs, read } from './inputs.js';
import { addLearning, addLimits, addListing, addModel } from './options.js';
import { forEachInput, print, printJson } from './report.js';

interface LikelihoodOptions extends Limits {
  model?: string;
  learning?: Learning;
  json?: boolean;
}

export function addLikelihood(program: Command): void {
  const command = program
    .command('likelihood')
    .description("hold real code length against the model's negative log-likelihood")
    .argument('[file...]', 'images, folders of them, or - for standard input');
  addLimits(addListing(addLearning(addModel(command))))
    .addHelpText(
      'after',
      `
Examples:
  cnfzip likelihood photo.png                file, net bits and likelihood in bits per sample
  cnfzip likelihood --model fast a.png b.png`,
    )
    .action(async (files: string[], options: LikelihoodOptions) => {
      const { model, learning, json, maxPixels, maxMemory } = options;
      const inputs = await listInputs(command, files, true, INPUT_EXTENSIONS);
      await forEachInput(inputs, 'file', options, async (input) => {
        const image = await readImage(await read(input), { maxPixels, maxMemory });
        const lengths = await codeLength(image, await modelsForEncoding(image.channels, model), learning);
        const samples = image.samples.length;
        if (json) await printJson({ file: input.path, samples, ...inBits(lengths) });
        else await print(`${input.label}: ${format(lengths, samples)}`);
      });
    });
}

function inBits({ file, container, net, ideal, tiles }: CodeLength) {
  return { fileBits: file, containerBits: container, netBits: net, likelihoodBits: ideal, tiles };
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
