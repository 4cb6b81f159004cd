// Builds, unless the last of what is built is newer than all that it is made of: npm prepares a checkout when it installs it, and
// again for `npx cnfzip` in it.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LAST = 'dist/cli/bundle/main.js';
const FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
const FOLDERS = ['src', 'codec', 'models'];

const changed = (path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const inside = (folder) => readdirSync(join(ROOT, folder), { recursive: true }).map((path) => join(folder, path));

const built = changed(LAST);
if ([...FILES, ...FOLDERS.flatMap(inside)].some((path) => changed(path) > built)) {
  process.exitCode = spawnSync('npm run build', { cwd: ROOT, shell: true, stdio: 'inherit' }).status ?? 1;
}
