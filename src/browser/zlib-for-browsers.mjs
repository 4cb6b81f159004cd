import { fileURLToPath } from 'node:url';

const ZLIB = fileURLToPath(new URL('../../dist/src/browser/zlib.js', import.meta.url));

/** Puts fflate in the place of Node's zlib. */
export const zlibForBrowsers = {
  name: 'zlib-for-browsers',
  // Vite's own resolution would come first.
  enforce: 'pre',
  resolveId: (id, importer) => (id.endsWith('/zlib.js') && importer?.includes('/io/') ? ZLIB : null),
};
