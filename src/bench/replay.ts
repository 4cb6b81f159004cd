/** `npm run replay -- FILE.cnfz --svg FILE`: what the first bytes of a file show, as a picture of its scales side by side. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { encodePng, open } from '../index.js';

/** Shown side of a panel, and what is between panels and below them, in pixels of the picture. */
const SIDE = 200;
const GAP = 8;
const CAPTION = 24;

interface ReplayOptions {
  x: string;
  y: string;
  size: string;
  svg: string;
}

await new Command('replay')
  .description(
    'Draw a square of a .cnfz file at each of its scales, exactly as decoded, under each what part of the file it needs.',
  )
  .argument('<file>', '.cnfz file')
  .option('--x <n>', 'left edge of the square, in pixels of the image', '0')
  .option('--y <n>', 'its upper edge', '0')
  .option('--size <n>', 'its side', '192')
  .requiredOption('--svg <file>', 'write the picture')
  .action(draw)
  .parseAsync();

async function draw(path: string, { x, y, size, svg }: ReplayOptions): Promise<void> {
  const file = await open(path);
  const region = { x: Number(x), y: Number(y), width: Number(size), height: Number(size) };
  const { bytes: all, scales } = file.info;
  const panels: string[] = [];
  for (const [i, { scale, bytes }] of scales.entries()) {
    const png = encodePng({ ...(await file.decode({ scale, region })), metadata: undefined });
    const share = ((100 * bytes) / all).toFixed(bytes < all / 10 ? 1 : 0);
    const caption = scale < 1 ? `${share} % of the file` : 'all of it';
    const left = i * (SIDE + GAP);
    panels.push(
      `<image x="${left}" width="${SIDE}" height="${SIDE}" style="image-rendering: pixelated" href="data:image/png;base64,${Buffer.from(png).toString('base64')}"/>`,
      `<text x="${left + SIDE / 2}" y="${SIDE + CAPTION - 8}" text-anchor="middle">${caption}</text>`,
    );
  }
  await file.close();
  const width = scales.length * (SIDE + GAP) - GAP;
  const height = SIDE + CAPTION;
  const frame = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  const background = `<rect width="${width}" height="${height}" fill="white"/>`;
  await writeFile(
    svg,
    `<svg ${frame} font-family="sans-serif" font-size="13">\n${[background, ...panels].join('\n')}\n</svg>\n`,
  );
}
