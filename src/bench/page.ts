/** `npm run bench:page -- FILE...`: how long the page takes for an image, and for how long it does not answer meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import puppeteer, { type ElementHandle, type Page } from 'puppeteer-core';
import { findChromium, findFirefox } from '../engines/engine.js';
import { pngPieces } from '../io/banded/png.js';
import { writeFileAtomic } from '../io/files/write.js';
import { servePage } from '../web/serve.js';
import { mosaicOfFiles } from './mosaic.js';

const BROWSERS = {
  chromium: findChromium(),
  firefox: findFirefox(),
};
type BrowserName = keyof typeof BROWSERS;

/** No image takes longer, in milliseconds. */
const TIMEOUT = 3_600_000;

interface PageOptions {
  readonly browser: BrowserName[];
  readonly size?: string;
}

await new Command('bench:page')
  .description(
    'Give images to the page: seconds until it has compressed, decoded and compared one, and until all of the replay is shown; the longest that it ' +
      'did not answer meanwhile, in milliseconds, which other work on the machine makes longer.',
  )
  .argument('<image...>', 'files that the page reads')
  .addOption(new Option('--browser <names...>', 'to try').choices(Object.keys(BROWSERS)).default(Object.keys(BROWSERS)))
  .option('--size <WxH>', 'instead of the files, one image of so many pixels made of them: photographs')
  .action(async (files: string[], { browser, size }: PageOptions) => {
    const folder = mkdtempSync(join(tmpdir(), 'cnfzip-page-'));
    try {
      const given = size ? [await mosaicFile(folder, files, size)] : files;
      for (const name of browser) for (const file of given) await measure(name, file);
    } finally {
      rmSync(folder, { recursive: true });
    }
  })
  .parseAsync();

async function mosaicFile(folder: string, photographs: readonly string[], size: string): Promise<string> {
  const [width, height] = size.split('x').map(Number);
  const file = join(folder, `${size}.png`);
  await writeFileAtomic(file, pngPieces(await mosaicOfFiles(photographs, width, height)));
  return file;
}

async function measure(name: BrowserName, file: string): Promise<void> {
  const executablePath = BROWSERS[name];
  if (!executablePath) return console.log(`${name}: not installed`);
  const server = await servePage(0);
  const args = name === 'chromium' ? ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] : [];
  const browser = await puppeteer.launch({
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath,
    args,
    protocolTimeout: TIMEOUT,
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    await page.evaluate(watch);
    const began = performance.now();
    const input = (await page.$('#files')) as ElementHandle<HTMLInputElement>;
    await input.uploadFile(file);
    await untilText(page, '#status', 'exactly the same');
    const compressed = await taken(page, began);
    await untilText(page, '#stage', 'every pixel');
    const shown = await taken(page, began);
    console.log(`${await browser.version()}, ${basename(file)}: compressed ${compressed}, shown ${shown}`);
  } finally {
    await browser.close();
    server.close();
  }
}

/** Notes in `longest` for how many milliseconds the page did not answer, some of 4 that a browser waits anyway included. */
function watch(): void {
  const scope = globalThis as unknown as { longest: number };
  scope.longest = 0;
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    scope.longest = Math.max(scope.longest, now - last);
    last = now;
    setTimeout(tick);
  };
  tick();
}

async function taken(page: Page, began: number): Promise<string> {
  const longest = await page.evaluate(() => (globalThis as unknown as { longest: number }).longest);
  return `${((performance.now() - began) / 1000).toFixed(1)} s (${Math.round(longest)} ms)`;
}

async function untilText(page: Page, selector: string, text: string): Promise<void> {
  const shows = (where: string, wanted: string) => document.querySelector(where)?.textContent?.includes(wanted);
  await page.waitForFunction(shows, { timeout: TIMEOUT, polling: 1000 }, selector, text);
}
