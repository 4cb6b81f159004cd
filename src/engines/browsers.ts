/** Browsers: a page of a server of ours runs the check and sends its findings home. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Findings, Task } from './check.js';
import { type Engine, findChromium, findFirefox, TIMEOUT, versionOf } from './engine.js';

const ROOT = new URL('../../../', import.meta.url);
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** What a bundler would find for the bare names of the codec's imports. */
const IMPORTS = {
  fflate: '/node_modules/fflate/esm/browser.js',
  '@jsquash/webp/': '/node_modules/@jsquash/webp/',
};

export function browserEngines(): Engine[] {
  return [
    browserEngine('chromium', 'Chromium', findChromium(), (profile) => [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${profile}`],
    ]),
    browserEngine('firefox', 'Firefox', findFirefox(), (profile) => [
      ...['--headless', '--no-remote', '--profile', profile],
    ]),
  ];
}

function browserEngine(
  kind: string,
  name: string,
  program: string | undefined,
  flags: (profile: string) => string[],
): Engine {
  return {
    kind,
    name,
    version: program && versionOf(program),
    remedy: `apt-get install ${kind === 'firefox' ? 'firefox-esr' : kind}`,
    run: (task) =>
      withPage(task, async (address, findings) => {
        const profile = await mkdtemp(join(tmpdir(), 'cnfzip-engines-'));
        const browser = spawn(program!, [...flags(profile), address], { stdio: 'ignore' });
        const ended = once(browser, 'close').then(() => {
          throw new Error('the browser ended without findings');
        });
        const late = setTimeout(() => browser.kill('SIGKILL'), TIMEOUT);
        try {
          return await Promise.race([findings, ended]);
        } finally {
          clearTimeout(late);
          browser.kill();
          await ended.catch(() => {});
          await rm(profile, { recursive: true, force: true, maxRetries: 20 });
        }
      }),
  };
}

/** Serves the check's page and the repository's files to `visit`, which gets the page's address and what it will send home. */
async function withPage(
  task: Task,
  visit: (address: string, findings: Promise<Findings>) => Promise<Findings>,
): Promise<Findings> {
  let settle: (findings: Findings) => void;
  let fail: (error: Error) => void;
  const findings = new Promise<Findings>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  const server = createServer(async (request, response) => {
    const path = new URL(request.url!, 'http://localhost').pathname;
    if (path === '/findings') {
      settle(JSON.parse(await bodyOf(request)));
    } else if (path === '/error') {
      fail(new Error(await bodyOf(request)));
    } else {
      const content = path === '/' ? page(task) : await readFile(new URL(`.${path}`, ROOT)).catch(() => undefined);
      const type = path === '/' ? '.html' : extname(path);
      response.writeHead(content ? 200 : 404, { 'content-type': TYPES[type] ?? 'application/octet-stream' });
      response.write(content ?? '');
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  try {
    return await visit(`http://localhost:${(server.address() as AddressInfo).port}/`, findings);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString();
}

function page(task: Task): string {
  return `<!doctype html>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module">
const send = (path, body) => fetch(path, { method: 'POST', body });
const read = async (path) => new Uint8Array(await (await fetch('/' + path)).arrayBuffer());
try {
  const { check } = await import('/dist/src/engines/check.js');
  await send('/findings', JSON.stringify(await check(${JSON.stringify(task)}, read)));
} catch (error) {
  await send('/error', error.stack || String(error));
}
</script>`;
}
