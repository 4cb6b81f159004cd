// Builds the command line into few files, which start in half the time that some 150 modules take. They lie as deep as the
// compiled rooms do, so that what modules find beside themselves they find here, too; what lies deeper goes by `PACKAGE`.
import { chmodSync, copyFileSync, readFileSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const compiled = (file) => root(`dist/src/${file}`);
const OUT = root('dist/cli/bundle/');

/** Modules that threads start from. */
const THREADS = [
  'session/call-worker',
  'session/tile-worker',
  'archive/sequence-worker',
  'bulk/coding-worker',
  'train/kernel-worker',
  'lab/experiment-worker',
];
/** Packages that go into the files; the licences come with them. */
const CONTAINED = ['commander', 'fflate'];
const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(readFileSync(root('package.json'), 'utf8'));
const packages = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
const left = packages.filter((name) => !CONTAINED.includes(name));

/** What a module loads at once, itself included. */
function loadedWith(start, context) {
  const found = new Set([compiled(`${start}.js`)]);
  for (const id of found) for (const imported of context.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
  return found;
}

/** The few files: what threads need, too; what every command needs. What reports that these cannot be loaded stays apart from them. */
function fileOf(id, context) {
  const entries = ['cli/main', ...THREADS].map((name) => compiled(`${name}.js`));
  if (entries.includes(id) || loadedWith('cli/main', context).has(id)) return null;
  if (loadedWith('session/call-worker', context).has(id)) return 'codec';
  return loadedWith('cli/program', context).has(id) ? 'program' : null;
}

rmSync(OUT, { recursive: true, force: true });
const bundle = await rolldown({
  input: Object.fromEntries(['cli/main', ...THREADS].map((name) => [basename(name), compiled(`${name}.js`)])),
  platform: 'node',
  preserveEntrySignatures: 'allow-extension',
  external: (id) => left.some((name) => id === name || id.startsWith(`${name}/`)),
});
const codeSplitting = { includeDependenciesRecursively: false, groups: [{ name: fileOf, debugName: 'shared' }] };
await bundle.write({ dir: OUT, format: 'es', chunkFileNames: '[name]-[hash].js', codeSplitting });
await bundle.close();
for (const name of CONTAINED) copyFileSync(root(`node_modules/${name}/LICENSE`), `${OUT}LICENSE-${name}`);
chmodSync(`${OUT}main.js`, 0o755);
