/** Tiles of one size, gathered into the arrays that the TensorFlow.js engine computes on. */

import { type Level, pyramid, sites } from '../../../codec/flow/pyramid.js';
import { textureInputs, tileTexture } from '../../../codec/flow/texture.js';
import type { KernelConstant } from '../../../codec/kernels/kernels.js';
import { type ModelDefinition, PASSES, type Pass, stemInputs } from '../../../models/definition.js';
import { cell, cellInputs, type LatticeMaps, latticeMaps } from './lattices.js';

/** A constant of the kernels. */
export type Constants = (name: KernelConstant) => number;

export interface PassBatch {
  /** Stem inputs without carried features: tiles * rows * columns cells of `depth` values. */
  readonly inputs: Float32Array;
  readonly depth: number;
  /** Rows and columns of the cell grid with a site. */
  readonly rows: number;
  readonly columns: number;
}

export interface LevelBatch {
  readonly level: Level;
  /** 0 is the finest. */
  readonly index: number;
  readonly passes: Record<Pass, PassBatch>;
}

/** Values of all sites, `channels` each; ordered by level (coarsest first), pass, tile, row, column. */
export interface SiteBatch {
  readonly samples: Float32Array;
  /** Mean and spread of the known neighbours. */
  readonly means: Float32Array;
  readonly spreads: Float32Array;
}

export interface Batch {
  readonly tiles: number;
  /** As the network sees it: tiles x `TEXTURE_VALUES` * channels. */
  readonly textures: Float32Array;
  /** Coarsest first. */
  readonly levels: readonly LevelBatch[];
  readonly sites: SiteBatch;
}

/** @param tiles of one size: height * width * channels integers after the colour transform each */
export function gatherBatch(
  definition: ModelDefinition,
  constant: Constants,
  tiles: readonly Int32Array[],
  height: number,
  width: number,
): Batch {
  const { channels } = definition;
  // A tile's top pixel is no site.
  const values = tiles.length * (height * width - 1) * channels;
  const all = {
    samples: new Float32Array(values),
    means: new Float32Array(values),
    spreads: new Float32Array(values),
  };
  const local = { mean: new Float32Array(channels), spread: new Float32Array(channels) };
  let site = 0;
  const gatherPass = (maps: readonly LatticeMaps[], level: Level, pass: Pass): PassBatch => {
    const depth = stemInputs(pass, { ...definition, carry: 0 });
    const grid = sites(level, pass);
    const inputs = new Float32Array(tiles.length * level.rows * level.columns * depth);
    let at = 0;
    for (const tile of tiles.keys()) {
      for (let i = 0; i < level.rows; i++) {
        for (let j = 0; j < level.columns; j++) {
          cellInputs(maps[tile], pass, level, i, j, inputs, at, local, constant);
          at += depth;
          if (i >= grid.rows || j >= grid.columns) continue;
          const from = cell(level, channels, i, j);
          for (let c = 0; c < channels; c++) {
            all.samples[site] = maps[tile][pass][from + c];
            all.means[site] = local.mean[c];
            all.spreads[site++] = local.spread[c];
          }
        }
      }
    }
    return { inputs, depth, ...grid };
  };
  const levels = pyramid(height, width).map((level, index) => ({ level, index }));
  return {
    tiles: tiles.length,
    textures: Float32Array.from(
      tiles.flatMap((samples) => [...textureInputs(tileTexture(samples, width, height, channels))]),
    ),
    levels: levels.reverse().map(({ level, index }) => {
      const maps = tiles.map((samples) => latticeMaps(samples, width, level, index, channels));
      const [D, H, V] = PASSES.map((pass) => gatherPass(maps, level, pass));
      return { level, index, passes: { D, H, V } };
    }),
    sites: all,
  };
}
