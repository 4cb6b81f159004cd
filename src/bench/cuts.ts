/** `npm run bench:cuts -- FOLDER`: what learning while coding is worth in images of a size, cut from larger ones. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { forwardColour } from '../../codec/flow/colour.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { maxvalOf } from '../../codec/image.js';
import { extractTile } from '../../codec/tiles.js';
import { type Image, readImage } from '../index.js';
import { modelsForEncoding } from '../session/models.js';

interface CutsOptions {
  model: string;
  sizes: string[];
  count: string;
}

const program = new Command('bench:cuts')
  .description(
    'Bits per sample of square cuts of RGB images, coded by a flow as it is and by one that learns; decoded and compared.',
  )
  .argument('<folder>', 'folder of PNG files')
  .option('--model <model>', 'as for compress', 'default')
  .option('--sizes <n...>', 'sides of the cuts', ['32', '64', '128', '256', '512'])
  .option('--count <n>', "cuts of each size and image, from corner to corner on the image's diagonal", '3')
  .action(run);
try {
  await program.parseAsync();
} catch (error) {
  console.error(`bench:cuts: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function run(folder: string, { model: name, sizes, count }: CutsOptions): Promise<void> {
  const model = (await modelsForEncoding(3, name)).find(({ definition }) => definition.channels === 3);
  if (!model) throw new Error(`${name}: codes no colour`);
  const files = (await readdir(folder)).filter((file) => /\.png$/i.test(file)).sort();
  const images: Image[] = [];
  for (const file of files) images.push(await readImage(join(folder, file)));
  const usable = images.filter(({ channels, palette }) => channels === 3 && !palette);
  if (usable.length === 0) throw new Error(`${folder}: no RGB images in PNG files`);
  const [still, learning] = await Promise.all(
    (['none', 'heads'] as const).map((learning) => TileCodec.create({ model, learning })),
  );
  console.log(
    '| side | cuts | as it is | learning | saved | least saved | most saved |\n|---|---|---|---|---|---|---|',
  );
  for (const side of sizes.map(Number)) {
    const cuts = usable.flatMap((image) => cutsOf(image, side, Number(count)));
    if (cuts.length === 0) continue;
    const shape = { width: side, height: side, depth: 8 };
    const bits = cuts.map((samples) => [still, learning].map((codec) => netBits(codec, samples, shape)));
    const saved = bits.map(([before, after]) => 1 - after / before);
    const perSample = (which: number) =>
      (bits.reduce((sum, own) => sum + own[which], 0) / (cuts.length * side ** 2 * 3)).toFixed(4);
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
    const mean = saved.reduce((sum, share) => sum + share, 0) / cuts.length;
    const range = [Math.min(...saved), Math.max(...saved)];
    console.log(`| ${[side, cuts.length, perSample(0), perSample(1), ...[mean, ...range].map(percent)].join(' | ')} |`);
  }
}

/** Bits that a cut takes on the stack. */
function netBits(
  codec: TileCodec,
  samples: Int32Array,
  shape: { width: number; height: number; depth: number },
): number {
  const { payload, netBits } = codec.encode(samples, shape);
  const decoded = codec.decode(payload, shape);
  if (!decoded.every((sample, i) => sample === samples[i])) throw new Error('a cut does not come back');
  return netBits;
}

/** The coordinates of an image's cuts. */
function cutsOf(image: Image, side: number, count: number): Int32Array[] {
  const { width, height } = image;
  const layer = { ...image, maxval: maxvalOf(image) };
  if (width < side || height < side) return [];
  return Array.from({ length: count }, (_, n) => {
    const at = (length: number) => Math.round(((length - side) * (n + 0.5)) / count);
    const tile = { x: at(width), y: at(height), width: side, height: side };
    return forwardColour(extractTile(layer, tile).samples, 3);
  });
}
