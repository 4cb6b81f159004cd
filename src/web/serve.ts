/** Serves the built page, and nothing else, to this machine alone. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CnfzipError } from '../../codec/error.js';
import { exists, readInput } from '../io/files/read.js';
import { PACKAGE } from '../package/packages.js';

const PAGE = new URL('dist/web/', PACKAGE);
const FOLDER = fileURLToPath(PAGE);
const HOST = '127.0.0.1';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

/**
 * @param port 0 takes a free one
 * @throws CnfzipError `file` if the port is taken, or the page was not built
 */
export async function servePage(port: number): Promise<{ readonly port: number; close(): void }> {
  if (!(await exists(`${FOLDER}index.html`)))
    throw new CnfzipError('file', 'the page is missing from this installation');
  const server = createServer(async (request, response) => {
    const file = fileOf(request.url ?? '/');
    const content = file && (await readInput(file).catch(() => undefined));
    response.writeHead(content ? 200 : 404, {
      'content-type': (file && TYPES[extname(file)]) ?? 'application/octet-stream',
      'cache-control': file?.includes(`${sep}assets${sep}`) ? 'max-age=31536000, immutable' : 'no-cache',
    });
    response.end(request.method === 'HEAD' ? undefined : content);
  });
  server.listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CnfzipError('file', `cannot listen on port ${port} of ${HOST} (${code}): name another with --port`, {
      cause,
    });
  }
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The file of an address, if it lies in the page's folder. */
function fileOf(address: string): string | undefined {
  try {
    const { pathname } = new URL(address, `http://${HOST}`);
    const url = new URL(`.${pathname === '/' ? '/index.html' : pathname}`, PAGE);
    const file = fileURLToPath(url);
    return file.startsWith(FOLDER) ? file : undefined;
  } catch {
    return undefined;
  }
}
