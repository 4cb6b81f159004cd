import { expect, test } from 'vitest';
import { ALIGNED_LEVELS, extractTile, MAX_TILE_SIDE, maxTilePixels, tileCount, tileLayout } from '../../codec/tiles.js';
import { insertShown, wholeView } from '../../codec/view.js';
import { randomBytes } from '../../src/fuzz/random-bytes.js';

test.each([
  [1, 1],
  [1, 2000],
  [1024, 1024],
  [1025, 1024],
  [1536, 1024],
  [2049, 1537],
  [4096, 3],
])('%i x %i: the tiles cover every pixel once, are balanced and small enough', (width, height) => {
  const tiles = tileLayout(width, height);
  expect(tiles).toHaveLength(tileCount(width, height));
  const cover = new Uint8Array(width * height);
  for (const tile of tiles) {
    expect(tile.width).toBeLessThanOrEqual(MAX_TILE_SIDE);
    expect(tile.height).toBeLessThanOrEqual(MAX_TILE_SIDE);
    for (let y = tile.y; y < tile.y + tile.height; y++) {
      for (let x = tile.x; x < tile.x + tile.width; x++) cover[y * width + x]++;
    }
  }
  expect(cover.every((times) => times === 1)).toBe(true);
  for (const { x, y } of tiles) expect([x % 2 ** ALIGNED_LEVELS, y % 2 ** ALIGNED_LEVELS]).toEqual([0, 0]);
  const widths = tiles.map((tile) => tile.width);
  const heights = tiles.map((tile) => tile.height);
  expect(Math.max(...widths) - Math.min(...widths)).toBeLessThanOrEqual(2 ** (ALIGNED_LEVELS + 1));
  expect(Math.max(...heights) - Math.min(...heights)).toBeLessThanOrEqual(2 ** (ALIGNED_LEVELS + 1));
  expect(Math.max(...widths) * Math.max(...heights)).toBe(maxTilePixels(width, height));
});

test('sides of all lengths are cut into tiles that are none too long and none a thin remainder', () => {
  for (let side = MAX_TILE_SIDE + 1; side < 20_000; side += 7) {
    const widths = tileLayout(side, 1).map(({ width }) => width);
    expect(Math.max(...widths)).toBeLessThanOrEqual(MAX_TILE_SIDE);
    expect(Math.min(...widths)).toBeGreaterThan(448);
    expect(widths.reduce((sum, width) => sum + width)).toBe(side);
  }
});

test('a photograph of 1536 x 1024 makes two halves', () => {
  expect(tileLayout(1536, 1024)).toEqual([
    { x: 0, y: 0, width: 768, height: 1024 },
    { x: 768, y: 0, width: 768, height: 1024 },
  ]);
});

test.each([1, 2, 3, 4] as const)('tiles that are cut out and put back restore an image of %i channels', (channels) => {
  const [width, height] = [1401, 1060];
  const samples = randomBytes(width * height * channels, channels);
  const layer = { width, height, channels, maxval: 255, samples };
  const restored = { ...layer, samples: new Uint8Array(samples.length) };
  for (const tile of tileLayout(width, height)) {
    const cut = extractTile(layer, tile);
    expect(cut.samples).toHaveLength(tile.width * tile.height * channels);
    insertShown(restored, wholeView(layer), cut, tile, 0);
  }
  expect(Buffer.compare(restored.samples, samples)).toBe(0);
});
