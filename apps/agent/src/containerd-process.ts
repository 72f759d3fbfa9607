import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { delimiter, join } from 'node:path';

import { LoamError, sleep, type Clock } from '@loam/base';

/** A containerd of the agent's own: root, state, socket and configuration below one directory. */
export interface ContainerdProcess {
  readonly address: string;
  /** For runc's own state, so that two private daemons on a host never share ids. */
  readonly runcRoot: string;
  readonly pid: number;
  isRunning(): boolean;
  /** Ends it, orderly. Steps must have ended before. */
  stop(): Promise<void>;
}

/** Linux cuts off longer paths of sockets (sun_path has 108 bytes, one of them for the final NUL). */
const maxSocketBytes = 107;
const startTimeoutMs = 30_000;
const stopTimeoutMs = 20_000;
const pollMs = 5;
const maxLogBytes = 10 * 1024 * 1024;
const programs = { containerd: 'containerd', 'containerd-shim-runc-v2': 'containerd', runc: 'runc' };
/** Kubernetes' interface, which would look at the host's networks. containerd 2 has it in parts; a name that is not there does no harm. */
const kubernetesPlugins = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.images',
  'io.containerd.cri.v1.runtime',
  'io.containerd.podsandbox.controller.v1.podsandbox',
  'io.containerd.grpc.v1.sandbox-controllers',
];
/** Services are mostly started with a path that lacks these. */
function searchPath(): string {
  const usual = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return [process.env['PATH'] ?? '', ...usual].join(delimiter);
}

/**
 * Starts the private containerd of a directory, or takes over the one that runs there. It outlives a kill of this process.
 * Throws `agent.containerd-missing` and `agent.containerd-not-started`.
 */
export async function startPrivateContainerd(directory: string, clock: Clock): Promise<ContainerdProcess> {
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const socket = socketPath(directory);
  const files = {
    config: join(directory, 'config.toml'),
    log: join(directory, 'containerd.log'),
    pid: join(directory, 'containerd.pid'),
  };
  const running = runningPid(files.pid, files.config);
  if (running !== undefined && (await answers(socket, startTimeoutMs / 3, clock))) return handle(running);
  if (running !== undefined) await end(running, clock);

  requirePrograms();
  writeFileSync(files.config, configuration(directory, socket), { mode: 0o600 });
  const { pid, hasEnded } = launch(files, socket);
  const deadline = clock.monotonic() + startTimeoutMs;
  while (!(await accepts(socket))) {
    if (hasEnded() || clock.monotonic() > deadline) {
      const reason = hasEnded() ? lastError(files.log) : `it does not answer after ${startTimeoutMs / 1000} s`;
      if (!hasEnded()) await end(pid, clock);
      throw LoamError.of('agent.containerd-not-started', { reason, log: files.log });
    }
    await sleep(clock, pollMs);
  }
  return handle(pid);

  function handle(daemon: number): ContainerdProcess {
    return {
      address: `unix://${socket}`,
      runcRoot: join(directory, 'runc'),
      pid: daemon,
      isRunning: () => runningPid(files.pid, files.config) === daemon,
      async stop() {
        await end(daemon, clock);
        endShims(socket);
        rmSync(files.pid, { force: true });
      },
    };
  }
}

/** Below the directory, or where its path is too long for a socket, below /run under a name made from it. */
export function socketPath(directory: string): string {
  const path = join(directory, 'containerd.sock');
  if (Buffer.byteLength(`${path}.ttrpc`) <= maxSocketBytes) return path;
  const identity = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  return `/run/loam-${identity}/containerd.sock`;
}

function configuration(directory: string, socket: string): string {
  return [
    'version = 2',
    `root = ${JSON.stringify(join(directory, 'root'))}`,
    `state = ${JSON.stringify(join(directory, 'state'))}`,
    `disabled_plugins = ${JSON.stringify(kubernetesPlugins)}`,
    '[grpc]',
    `address = ${JSON.stringify(socket)}`,
    '[ttrpc]',
    `address = ${JSON.stringify(`${socket}.ttrpc`)}`,
    '[debug]',
    'level = "warn"',
    '',
  ].join('\n');
}

function requirePrograms(): void {
  const missing = Object.entries(programs).filter(([program]) => find(program) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, debianPackage]) => debianPackage))].join(' and ');
  const names = missing.map(([program]) => program).join(', ');
  throw LoamError.of('agent.containerd-missing', { programs: `${names} (Debian packages: ${packages})` });
}

function find(program: string): string | undefined {
  for (const directory of searchPath().split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** A child is asked and not /proc: a process that is just becoming another program has no arguments there for a moment. */
function launch(
  files: { config: string; log: string; pid: string },
  socket: string,
): { pid: number; hasEnded: () => boolean } {
  mkdirSync(join(socket, '..'), { recursive: true, mode: 0o711 });
  // One of a daemon that was killed; connecting to it would only fail.
  for (const stale of [socket, `${socket}.ttrpc`]) rmSync(stale, { force: true });
  if ((statSync(files.log, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes)
    renameSync(files.log, `${files.log}.1`);
  const log = openSync(files.log, 'a', 0o600);
  try {
    const daemon = spawn(find('containerd') ?? 'containerd', ['--config', files.config], {
      // A group of its own: Ctrl-C in a terminal is for us, and we end it in order.
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, PATH: searchPath() },
    });
    daemon.on('error', () => undefined);
    const { pid } = daemon;
    if (pid === undefined) throw LoamError.of('agent.containerd-missing', { programs: 'containerd' });
    writeFileSync(files.pid, `${pid}\n`, { mode: 0o600 });
    daemon.unref();
    return { pid, hasEnded: () => daemon.exitCode !== null || daemon.signalCode !== null };
  } finally {
    closeSync(log);
  }
}

/**
 * Ends shims that nobody knows of: a containerd that is killed while it starts one forgets it, and cleans up at its next start
 * without it. No step runs any more, so every shim that is left is such a one.
 */
function endShims(socket: string): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const [program = '', ...args] = commandLine(Number(entry));
    if (!program.includes('containerd-shim') || args[args.indexOf('-address') + 1] !== socket) continue;
    try {
      process.kill(Number(entry), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** The process in the pid file, if it still is the containerd of this configuration. */
function runningPid(pidFile: string, config: string): number | undefined {
  if (!existsSync(pidFile)) return undefined;
  const pid = Number(readFileSync(pidFile, 'utf8').trim());
  return Number.isInteger(pid) && pid > 1 && commandLine(pid).includes(config) ? pid : undefined;
}

/** Empty for a process that is gone or has ended and only waits to be collected. */
function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

async function end(pid: number, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + stopTimeoutMs;
  let signal: NodeJS.Signals = 'SIGTERM';
  for (let sent: NodeJS.Signals | undefined; commandLine(pid).length > 1;) {
    if (sent !== signal) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
        throw error;
      }
      sent = signal;
    }
    await sleep(clock, pollMs);
    if (clock.monotonic() > deadline) signal = 'SIGKILL';
  }
}

async function answers(socket: string, timeoutMs: number, clock: Clock): Promise<boolean> {
  const deadline = clock.monotonic() + timeoutMs;
  while (clock.monotonic() < deadline) {
    if (await accepts(socket)) return true;
    await sleep(clock, pollMs);
  }
  return false;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      socket.destroy();
      resolve(false);
    });
  });
}

function lastError(log: string): string {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  const line = lines.findLast((text) => /level=(fatal|error)|^containerd:/.test(text)) ?? lines.at(-1) ?? 'it ended';
  return /(?:error|msg)="((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line;
}
