import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deflateZlib, inflateZlib } from '../../src/browser/zlib.js';
import { findChromium, findFirefox } from '../../src/engines/engine.js';
import { decode, decodePng, encode, encodePng, info } from '../../src/index.js';
import * as node from '../../src/io/zlib.js';
import { fixture } from '../paths.js';

const built = new URL('../../dist/src/web/serve.js', import.meta.url).href;
const { servePage } = (await import(built)) as typeof import('../../src/web/serve.js');

type Library = typeof import('../../src/browser/index.js');

const firefox = findFirefox();
const chromium = findChromium();

/** In the page: whether both canvases show one picture. Other threads paint them, so this is to be waited for. */
const showTheSame = () => {
  const [original, replay] = ['original', 'replay'].map((id) => {
    const canvas = document.getElementById(id) as HTMLCanvasElement;
    const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d')!;
    context.drawImage(canvas, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  });
  return new Set(original).size > 200 && original.every((value, i) => value === replay[i]);
};

describe('zlib streams without Node', () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i * i) >> 7);

  it('are those of Node', () => {
    expect(node.inflateZlib(deflateZlib(bytes), bytes.length).inflated).toEqual(bytes);
    expect(inflateZlib(node.deflateZlib(bytes), bytes.length)).toEqual({ inflated: bytes, behind: 0 });
  });

  it('end where Node finds their end', () => {
    const longer = Uint8Array.from([...node.deflateZlib(bytes), 1, 2, 3, 4, 5, 6, 7]);
    expect(inflateZlib(longer, bytes.length).behind).toBe(7);
    expect(node.inflateZlib(longer, bytes.length).behind).toBe(7);
  });

  it('are refused where they are damaged, cut short or too long', () => {
    const good = node.deflateZlib(bytes);
    const changed = (at: number) => good.map((byte, i) => (i === at ? byte ^ 1 : byte));
    for (const bad of [good.slice(0, -5), good.slice(0, -1), changed(good.length - 1), changed(0)]) {
      expect(() => inflateZlib(bad, bytes.length)).toThrow();
    }
    expect(() => inflateZlib(good, bytes.length - 1)).toThrow();
    expect(inflateZlib(good, bytes.length + 9).inflated.length).toBe(bytes.length);
  });
});

describe.skipIf(!chromium)('in Chromium', () => {
  let browser: Browser;
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-web-'));

  beforeAll(async () => {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
    browser = await puppeteer.launch({ executablePath: chromium, args });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('the page', () => {
    let server: Awaited<ReturnType<typeof servePage>>;
    let page: Page;

    beforeAll(async () => {
      server = await servePage(0);
      page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${server.port}/`);
    });
    afterAll(() => server.close());

    const give = async (...files: string[]) => {
      const input = await page.$('#files');
      await (input as import('puppeteer-core').ElementHandle<HTMLInputElement>).uploadFile(...files);
    };
    const status = (text: string) =>
      page.waitForFunction((wanted) => document.querySelector('#status')?.textContent?.includes(wanted), {}, text);
    const savedBytes = async (button: string): Promise<Uint8Array> => {
      const numbers = await page.evaluate(async (selector) => {
        const click = HTMLAnchorElement.prototype.click;
        const found = new Promise<Blob>((resolve) => {
          HTMLAnchorElement.prototype.click = function () {
            resolve(fetch(this.href).then((response) => response.blob()));
          };
        });
        document.querySelector<HTMLElement>(selector)!.click();
        const blob = await found;
        HTMLAnchorElement.prototype.click = click;
        return [...new Uint8Array(await blob.arrayBuffer())];
      }, button);
      return Uint8Array.from(numbers);
    };

    it('compresses to the bytes that Node makes, and replays them', async () => {
      await give(fixture('house-253x191.png'));
      await status('exactly the same');
      const expected = await encode(decodePng(readFileSync(fixture('house-253x191.png'))));
      expect(await savedBytes('[aria-label^="Save house"]')).toEqual(new Uint8Array(expected));
      await page.waitForFunction(() => document.querySelector('#stage')?.textContent?.includes('every pixel'));
      await page.waitForFunction(showTheSame);
    });

    it('shows where the bits went', async () => {
      await page.click('#bits');
      await page.waitForFunction(() => document.querySelector('#bits')?.getAttribute('aria-pressed') === 'true');
      expect(await page.$eval('#stage', ({ textContent }) => textContent)).toContain('Where the bits went');
    });

    it('opens a .cnfz file and saves it as PNG', async () => {
      await give(fixture('red-door-128x96.cnfz'));
      await status('opened');
      const png = await savedBytes('[aria-label="Save red-door-128x96.png"]');
      expect(decodePng(png)).toEqual(await decode(readFileSync(fixture('red-door-128x96.cnfz'))));
    });

    it('takes the files of a folder that is dropped, and of those in it', async () => {
      const tiny = [...readFileSync(fixture('tiny-5x3.png'))];
      await page.evaluate(async (bytes) => {
        const file = (name: string) => ({
          isFile: true,
          isDirectory: false,
          file: (done: (file: File) => void) => done(new File([Uint8Array.from(bytes)], name)),
        });
        const folder = (...inside: object[]) => ({
          isFile: false,
          isDirectory: true,
          createReader: () => ({ readEntries: (done: (some: object[]) => void) => done(inside.splice(0, 1)) }),
        });
        const dropped = folder(file('one.png'), folder(file('two.png')), file('three.png'));
        const event = new Event('drop', { bubbles: true, cancelable: true });
        const items = [{ webkitGetAsEntry: () => dropped }];
        Object.defineProperty(event, 'dataTransfer', { value: { items, files: [] } });
        document.dispatchEvent(event);
      }, tiny);
      for (const name of ['one', 'two', 'three']) await page.waitForSelector(`[aria-label="Save ${name}.cnfz"]`);
    });

    it('says what is wrong with a damaged file, and goes on', async () => {
      const damaged = join(folder, 'damaged.png');
      writeFileSync(damaged, readFileSync(fixture('water-32x32.png')).subarray(0, 300));
      await give(damaged);
      await status('cut short');
    });

    it('works offline after the first visit', async () => {
      await page.evaluate(async () => {
        await navigator.serviceWorker.ready;
      });
      server.close();
      await page.reload();
      await give(fixture('water-32x32.png'));
      await status('exactly the same');
    });
  });

  /** The page has an import map of one line, as in the documentation. */
  const IMPORTS =
    '<script type="importmap">{ "imports": { "cnfzip/browser": "/cnfzip/dist/browser/bundle/index.js" } }</script>';
  const EXPOSED = `${IMPORTS}<script type="module">import * as cnfzip from "cnfzip/browser"; globalThis.cnfzip = cnfzip;</script>`;

  /** Opens a page on a server of the built files that answers 404 for those that are `missing`. */
  async function serveLibrary(html: string, missing?: RegExp) {
    const root = new URL('../../dist/', import.meta.url);
    const types: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
    const fetched: string[] = [];
    const server = createServer((request, response) => {
      const path = new URL(request.url!, 'http://127.0.0.1').pathname;
      fetched.push(path);
      if (path === '/') {
        response.setHeader('content-type', 'text/html');
        response.end(html);
        return;
      }
      try {
        if (missing?.test(path)) throw new Error('missing');
        const content = readFileSync(new URL(path.replace('/cnfzip/dist/', './'), root));
        response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
        response.end(content);
      } catch {
        response.statusCode = 404;
        response.end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const close = () => {
      server.closeAllConnections();
      server.close();
    };
    return { page, fetched, close };
  }

  async function openLibrary(missing?: RegExp) {
    const opened = await serveLibrary(EXPOSED, missing);
    await opened.page.waitForFunction(() => 'cnfzip' in globalThis);
    return opened;
  }

  it('runs the page that the documentation shows', async () => {
    const docs = readFileSync(new URL('../../docs/browser.md', import.meta.url), 'utf8');
    const [, html] = docs.match(/^```html\n(.*?)^```/ms)!;
    expect(html).toContain(IMPORTS);
    const { page, close } = await serveLibrary(html);
    try {
      const logged = new Promise<string>((resolve) =>
        page.on('console', (message) => message.type() === 'log' && resolve(message.text())),
      );
      const input = await page.waitForSelector('input');
      await (input as import('puppeteer-core').ElementHandle<HTMLInputElement>).uploadFile(fixture('water-32x32.png'));
      expect(await logged).toMatch(/^water-32x32\.png: 1787 -> 1\d\d\d bytes$/);
    } finally {
      close();
    }
  });

  it('runs cnfzip/browser unbundled', async () => {
    const { page, fetched, close } = await openLibrary();
    try {
      const samples = Array.from({ length: 40 * 30 * 4 }, (_, i) => (i * 7919) % 251);
      const found = await page.evaluate(async (values) => {
        const { compress, decompress, open } = (globalThis as unknown as { cnfzip: Library }).cnfzip;
        const bytes = await compress(new ImageData(Uint8ClampedArray.from(values), 40, 30));
        const file = await open(new Blob([bytes]));
        const small = await file.decode({ scale: 1 / 2 });
        const { bytes: png } = await decompress(bytes);
        const stopped = new AbortController();
        const late = compress(new ImageData(1000, 1000), { signal: stopped.signal }).catch(
          (error: Error) => error.name,
        );
        setTimeout(() => stopped.abort(), 30);
        return { bytes: [...bytes], png: [...png], small: [small.width, small.height], stopped: await late };
      }, samples);
      const image = { width: 40, height: 30, channels: 4, samples: Uint8Array.from(samples) } as const;
      expect(Uint8Array.from(found.bytes)).toEqual(new Uint8Array(await encode(image)));
      expect(decodePng(Uint8Array.from(found.png)).samples).toEqual(image.samples);
      expect(decodePng(encodePng(image)).samples).toEqual(image.samples);
      expect(found.small).toEqual([20, 15]);
      expect(found.stopped).toBe('AbortError');
      expect(fetched.some((path) => path.endsWith('best.cnfm'))).toBe(false);
    } finally {
      close();
    }
  });

  it('goes on without WebP where libwebp cannot be fetched, and says so of a file that needs it', async () => {
    const { page, fetched, close } = await openLibrary(/\.wasm$/);
    try {
      // Stripes, of which WebP makes next to nothing.
      const samples = Array.from({ length: 90 * 80 * 4 }, (_, i) => (i % 4 === 3 ? 255 : 40 * ((i >> 5) % 5)));
      const image = { width: 90, height: 80, channels: 4, samples: Uint8Array.from(samples) } as const;
      const byWebp = await encode(image);
      expect(info(byWebp).layers[0].method).toBe('webp');
      const found = await page.evaluate(
        async (values, given) => {
          const { compress, decompress } = (globalThis as unknown as { cnfzip: Library }).cnfzip;
          const bytes = await compress(new ImageData(Uint8ClampedArray.from(values), 90, 80));
          const { bytes: png } = await decompress(bytes);
          const refused = decompress(Uint8Array.from(given)).catch(({ name, code, message }) => ({
            name,
            code,
            message,
          }));
          return { bytes: [...bytes], png: [...png], refused: await refused };
        },
        samples,
        [...byWebp],
      );
      expect(decodePng(Uint8Array.from(found.png)).samples).toEqual(image.samples);
      expect((await decode(Uint8Array.from(found.bytes))).samples).toEqual(image.samples);
      expect(found.refused).toEqual({
        name: 'CnfzipError',
        code: 'file',
        message: "libwebp's decoder, which parts of this file need, cannot be loaded",
      });
      expect(fetched.some((path) => path.endsWith('enc.wasm'))).toBe(true);
    } finally {
      close();
    }
  });
});

it.skipIf(!firefox)('the page in Firefox compresses, and shows what came of it', async () => {
  const server = await servePage(0);
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: firefox, defaultViewport: null });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    await page.select('#model', 'fast');
    const input = await page.$('#files');
    await (input as import('puppeteer-core').ElementHandle<HTMLInputElement>).uploadFile(fixture('house-253x191.png'));
    await page.waitForFunction(() => document.querySelector('#stage')?.textContent?.includes('every pixel'));
    await page.waitForFunction(showTheSame);
    const expected = await encode(decodePng(readFileSync(fixture('house-253x191.png'))), { model: 'fast' });
    expect(await page.$eval('#status', ({ textContent }) => textContent)).toContain('exactly the same');
    expect(await page.$eval('#facts', ({ textContent }) => textContent)).toContain(
      `${(expected.length / 1000).toFixed(1)} kB`,
    );
  } finally {
    await browser.close();
    server.close();
  }
});
