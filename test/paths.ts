/** Where tests find what they run and read. */
import { fileURLToPath } from 'node:url';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** The compiled command line. */
export const MAIN = path('dist/cli/bundle/main.js');

/** The path of a test image or golden file. */
export const fixture = (name: string) => path(`fixtures/${name}`);
