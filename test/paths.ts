/** Where tests find what they run and read. */
import { fileURLToPath } from 'node:url';

export { MAIN } from '../src/package/packages.js';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** The path of a test image or golden file. */
export const fixture = (name: string) => path(`fixtures/${name}`);
