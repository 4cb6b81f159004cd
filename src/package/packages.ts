/** Packages that few uses of cnfzip need: they are not installed with it, or may be left out. */
import { fileURLToPath } from 'node:url';
import { CnfzipError } from '../../codec/error.js';
import { readInput } from '../io/files/read.js';

interface Manifest {
  readonly version: string;
  readonly optionalDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

/** The folder of the package: this file lies a folder deeper where it is built, in `dist`. */
export const PACKAGE = new URL(/\/dist(\/[^/]+){3}$/.test(import.meta.url) ? '../../../' : '../../', import.meta.url);

/** The command line's main module. */
export const MAIN = fileURLToPath(new URL('dist/cli/bundle/main.js', PACKAGE));

/** What package.json says. */
export async function manifest(): Promise<Manifest> {
  const bytes = await readInput(fileURLToPath(new URL('package.json', PACKAGE)));
  return JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
}

/**
 * Checks that packages are there before what needs them is loaded.
 *
 * @param purpose what needs them: `the laboratory`
 * @throws CnfzipError `unsupported`, which tells how to install those that are missing
 */
export async function requirePackages(purpose: string, names: readonly string[]): Promise<void> {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const { optionalDependencies, peerDependencies } = await manifest();
  const ranges = { ...optionalDependencies, ...peerDependencies };
  const wanted = missing.map((name) => `${name}@${seriesOf(ranges[name])}`);
  const [what, are] = missing.length > 1 ? ['packages', 'are'] : ['a package', 'is'];
  throw new CnfzipError('unsupported', `${purpose} needs ${what} that ${are} not installed: npm i ${wanted.join(' ')}`);
}

export function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** `^4.22.0` as `4`, `^0.6.17` as `0.6`: what a shell does not take for anything else. */
function seriesOf(range: string): string {
  return /\d+/.exec(range)?.[0] === '0' ? /0\.\d+/.exec(range)![0] : /\d+/.exec(range)![0];
}
