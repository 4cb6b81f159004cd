/** Measures what is taken by parts of a very large image: its description, a region, a small scale. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { BandEncoder, bandHeights } from '../../codec/bands.js';
import { type CoderOf, oncePerFlow } from '../../codec/coding.js';
import { crc32 } from '../../codec/container/crc32.js';
import type { EncodedTile } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { extractTile, MAX_TILE_SIDE } from '../../codec/tiles.js';
import { integer } from '../cli/options.js';
import { readImage } from '../index.js';
import { openSpool } from '../io/files/spool.js';
import { writeFileAtomic } from '../io/files/write.js';
import { modelsForEncoding } from '../session/models.js';
import { mosaic } from './mosaic.js';
import { runMeasured } from './processes.js';

/** A tile's worth of each photograph that has as much. */
async function squares(files: readonly string[]): Promise<Image[]> {
  const whole = { x: 0, y: 0, width: MAX_TILE_SIDE, height: MAX_TILE_SIDE };
  const images = await Promise.all(files.map((file) => readImage(file)));
  return images
    .filter(({ width, height }) => width >= MAX_TILE_SIDE && height >= MAX_TILE_SIDE)
    .map((image) => ({ ...extractTile({ ...image, maxval: 255 }, whole), maxval: 255 }));
}

/** Codes each kind of tile once, as there are few. */
function rememberingCoders(): CoderOf {
  const coders = oncePerFlow();
  const known = new Map<number, EncodedTile>();
  return async (flow) => {
    const coder = await coders(flow);
    return {
      concurrency: 1,
      decode: coder.decode,
      async encode(tile) {
        const key = crc32(tile.samples);
        const coded = known.get(key) ?? (await coder.encode(tile));
        known.set(key, coded);
        return coded;
      },
    };
  };
}

/** Writes the file of a mosaic whose cells are its tiles, all coded by the flow of the model `fast`, as it is. */
async function writeMosaic(files: readonly string[], columns: number, rows: number, path: string): Promise<void> {
  const { bands, ...header } = mosaic(await squares(files), columns * MAX_TILE_SIDE, rows * MAX_TILE_SIDE);
  if (bandHeights(header.width, header.height).some((height) => height !== MAX_TILE_SIDE)) {
    throw new Error('the cells are no tiles');
  }
  const spool = await openSpool();
  try {
    const models = await modelsForEncoding(3, 'fast');
    const options = { learning: 'none' as const, coderOf: rememberingCoders() };
    const encoder = new BandEncoder(header, models, [undefined], spool, options);
    for await (const band of bands) await encoder.add(band);
    await writeFileAtomic(path, encoder.file());
  } finally {
    await spool.close();
  }
}

interface PartsOptions {
  readonly columns: number;
  readonly rows: number;
  readonly threads: number;
}

async function measureParts(files: readonly string[], { columns, rows, threads }: PartsOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-parts-'));
  try {
    const packed = join(folder, 'a.cnfz');
    await writeMosaic(files, columns, rows, packed);
    const [width, height] = [columns, rows].map((count) => count * MAX_TILE_SIDE);
    console.log(`${width} x ${height}, ${statSync(packed).size} bytes`);
    const decompress = ['decompress', '-q', '-T', `${threads}`, '-o', join(folder, 'part.png'), '-f'];
    const region = `512x512+${(width >> 1) - 256}+${(height >> 1) - 256}`;
    for (const [what, args] of [
      ['info', ['info', '--json']],
      [`region ${region}`, [...decompress, '--region', region]],
      ['scale 1/32', [...decompress, '--scale', '1/32']],
      ['scale 1/8', [...decompress, '--scale', '1/8']],
    ] as const) {
      const { peak, seconds } = runMeasured(...args, packed);
      console.log(`${what}: ${(peak / 1e6).toFixed(0)} MB, ${seconds.toFixed(1)} s`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await new Command('bench:parts')
  .description('Memory and time of whole processes that want a part of a very large image, made of photographs.')
  .argument(
    '<image...>',
    'photographs of 8 bits and three channels; those with fewer than 1024 x 1024 pixels are left out',
  )
  .option('--columns <n>', 'tiles beside each other', integer(2, 16384), 32)
  .option('--rows <n>', 'tiles below each other', integer(2, 16384), 30)
  .option('-T, --threads <n>', 'as for decompress', integer(1, 256), 1)
  .action(measureParts)
  .parseAsync();
