/** Servers of queues for tests: of what is installed, each on a free port of this machine, with its data in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Server {
  readonly url: string;
  /** Ends it without any warning, and starts it again with what is on the disk. */
  restart(): Promise<void>;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
}

/** A server that can be started. */
export interface Installed {
  start(): Promise<Server>;
}

/** What both say once they are there. */
const READY = /eady to accept connections/;

/** Redis, if it is installed. */
export function findRedis(): Installed | undefined {
  const program = 'redis-server';
  if (spawnSync(program, ['--version']).error) return undefined;
  return {
    start: async () => {
      const port = await freePort();
      const folder = mkdtempSync(join(tmpdir(), 'cnfzip-server-'));
      const args = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
      return serve(`redis://127.0.0.1:${port}`, folder, () => spawn(program, args.map(String)));
    },
  };
}

/** PostgreSQL, if it is installed; it does not run as root. */
export function findPostgres(): Installed | undefined {
  const programs = postgresPrograms();
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : {};
  if (!programs || !owner) return undefined;
  return {
    start: async () => {
      const port = await freePort();
      const folder = mkdtempSync(join(tmpdir(), 'cnfzip-server-'));
      if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid!);
      const data = join(folder, 'data');
      const made = spawnSync(join(programs, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'cnfzip', '--no-sync'], {
        ...owner,
        cwd: folder,
        encoding: 'utf8',
      });
      if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
      const args = ['-D', data, '-p', port, '-h', '127.0.0.1', '-k', folder];
      const run = () => spawn(join(programs, 'postgres'), args.map(String), { ...owner, cwd: folder });
      return serve(`postgres://cnfzip@127.0.0.1:${port}/postgres`, folder, run);
    },
  };
}

/** Debian has them outside the path. */
function postgresPrograms(): string | undefined {
  const versions = '/usr/lib/postgresql';
  const found = existsSync(versions) ? readdirSync(versions).sort() : [];
  return found.length > 0 ? join(versions, found[found.length - 1], 'bin') : undefined;
}

function idsOf(user: string): { uid?: number; gid?: number } | undefined {
  const [uid, gid] = ['-u', '-g'].map((which) => spawnSync('id', [which, user], { encoding: 'utf8' }));
  return uid.status === 0 ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : undefined;
}

async function serve(url: string, folder: string, run: () => ChildProcess): Promise<Server> {
  let child = run();
  await ready(child);
  const end = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // To PostgreSQL it means: at once; to Redis it is no different from SIGKILL.
    child.kill('SIGQUIT');
    await ended;
  };
  return {
    url,
    restart: async () => {
      await end();
      child = run();
      await ready(child);
    },
    stop: async () => {
      await end();
      rmSync(folder, { recursive: true });
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (piece: Buffer) => {
      said += piece;
      if (READY.test(said)) resolve();
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    child.once('exit', () => reject(new Error(`the server ended: ${said}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
