import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const startTimeoutMs = 120_000;
/** Kubernetes' interface, which would look at the host's networks. containerd 2 has it in parts; a name that is not there does no harm. */
const kubernetesPlugins = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.images',
  'io.containerd.cri.v1.runtime',
  'io.containerd.podsandbox.controller.v1.podsandbox',
  'io.containerd.grpc.v1.sandbox-controllers',
];

/** A containerd of one's own, for tests. */
export interface ContainerdServer {
  /** `unix://` and the path of its socket. */
  readonly address: string;
  /** Where it keeps content and snapshots. */
  readonly root: string;
  /** Where it keeps its sockets and the bundles of running tasks. */
  readonly state: string;
  /** A directory for runc's own state (`root` in `containerd.runc.v1.Options`), so that servers never share ids. */
  readonly runcRoot: string;
  /** Where its log is written. */
  readonly log: string;
  /** Kills every task, ends the daemon, unmounts and deletes everything it made. A `root` that was given stays. */
  stop(): Promise<void>;
  /** SIGKILL to the daemon alone; its shims live on. */
  kill9(): Promise<void>;
  /** Starts the daemon again on the same state, ending it first (SIGTERM) when it runs. */
  restart(): Promise<void>;
  /** Runs Debian's `ctr` against it and gives its standard output. */
  ctr(args: readonly string[]): Promise<string>;
}

/**
 * Starts a private containerd: own root, state, socket and configuration in a fresh directory, without Kubernetes' plugins.
 * The system's containerd is never touched. (Shims put their sockets under /run/containerd/s, whatever the
 * daemon's state directory is; the name there is a hash of the daemon's address, so nothing can clash.)
 */
export async function startContainerd(options: { root?: string } = {}): Promise<ContainerdServer> {
  requirePrograms();
  const home = await mkdtemp(join(tmpdir(), 'loam-ctd-'));
  const socket = join(home, 'containerd.sock');
  const root = options.root ?? join(home, 'root');
  const state = join(home, 'state');
  const runcRoot = join(home, 'runc');
  const log = join(home, 'containerd.log');
  const config = join(home, 'config.toml');
  await mkdir(root, { recursive: true });
  await writeFile(config, configuration({ root, state, socket, ttrpc: `${socket}.ttrpc` }));

  let daemon = await launch(config, log);
  const killOnExit = (): void => void daemon.kill('SIGKILL');
  process.once('exit', killOnExit);

  const ctr = async (args: readonly string[]): Promise<string> => {
    const { stdout } = await run('ctr', ['--address', socket, ...args], { maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  };

  return {
    address: `unix://${socket}`,
    root,
    state,
    runcRoot,
    log,
    ctr,
    async kill9() {
      await end(daemon, 'SIGKILL');
    },
    async restart() {
      await end(daemon, 'SIGTERM');
      daemon = await launch(config, log);
    },
    async stop() {
      process.removeListener('exit', killOnExit);
      // Only through a daemon do shims give back their cgroups and sockets, so one that was killed comes back for it.
      if (!isRunning(daemon)) daemon = await launch(config, log);
      await removeTasks(ctr);
      await end(daemon, 'SIGTERM');
      await killShims(socket);
      await unmountBelow([home, root]);
      // Of a shim that was killed just now the last files may still come.
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

function requirePrograms(): void {
  const needed = { containerd: 'containerd', ctr: 'containerd', 'containerd-shim-runc-v2': 'containerd', runc: 'runc' };
  for (const [program, debianPackage] of Object.entries(needed)) {
    if (!isOnPath(program)) {
      throw new Error(
        `${program} is not installed: apt-get install ${debianPackage} (Debian package ${debianPackage})`,
      );
    }
  }
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Collects garbage after every change and not after a hundred, so that what nothing holds is gone at once (npm run test:late). */
const eagerCollector = [
  '[plugins."io.containerd.gc.v1.scheduler"]',
  'pause_threshold = 0.5',
  'deletion_threshold = 1',
  'mutation_threshold = 1',
  'schedule_delay = "0ms"',
  'startup_delay = "1ms"',
];

function configuration(paths: { root: string; state: string; socket: string; ttrpc: string }): string {
  return [
    'version = 2',
    `root = ${JSON.stringify(paths.root)}`,
    `state = ${JSON.stringify(paths.state)}`,
    `disabled_plugins = ${JSON.stringify(kubernetesPlugins)}`,
    '[grpc]',
    `address = ${JSON.stringify(paths.socket)}`,
    '[ttrpc]',
    `address = ${JSON.stringify(paths.ttrpc)}`,
    ...(process.env['LOAM_TEST_EAGER_GC'] === '1' ? eagerCollector : []),
    '',
  ].join('\n');
}

/** Starts the daemon and resolves when its log says that it serves. */
async function launch(config: string, log: string): Promise<ChildProcess> {
  const daemon = spawn('containerd', ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: daemon.stderr });
  daemon.stderr.pipe(createWriteStream(log, { flags: 'a' }));
  const tail: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`containerd ${why}\n${tail.join('\n')}`));
    const timer = setTimeout(() => fail(`did not start within ${startTimeoutMs} ms`), startTimeoutMs);
    lines.on('line', (line) => {
      tail.push(line);
      if (tail.length > 30) tail.shift();
      if (line.includes('successfully booted')) {
        clearTimeout(timer);
        resolve();
      }
    });
    daemon.once('error', (error) => fail(`could not be started: ${error.message}`));
    daemon.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended at its start (${signal ?? code})`);
    });
  });
  return daemon;
}

function isRunning(daemon: ChildProcess): boolean {
  return daemon.exitCode === null && daemon.signalCode === null;
}

async function end(daemon: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (!isRunning(daemon)) return;
  const exited = once(daemon, 'exit');
  daemon.kill(signal);
  const timer = setTimeout(() => daemon.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(timer);
}

/** The orderly way, so that shims remove their mounts, cgroups and sockets themselves. */
async function removeTasks(ctr: (args: readonly string[]) => Promise<string>): Promise<void> {
  for (const namespace of words(await ctr(['namespaces', 'ls', '-q']))) {
    for (const task of words(await ctr(['-n', namespace, 'tasks', 'ls', '-q']))) {
      // A task that ends by itself meanwhile is as good as removed; killShims takes what is left.
      await ctr(['-n', namespace, 'tasks', 'rm', '--force', task]).catch(() => '');
    }
  }
}

/** What the orderly way could not reach: the shims of this daemon and everything below them. */
async function killShims(socket: string): Promise<void> {
  const parents = await processTable();
  const shims = new Set<number>();
  for (const pid of parents.keys()) {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (args[0]?.includes('containerd-shim') && args.includes(socket)) shims.add(pid);
  }
  const doomed = [...parents.keys()].filter((pid) => {
    for (let at: number | undefined = pid; at !== undefined; at = parents.get(at)) if (shims.has(at)) return true;
    return false;
  });
  for (const pid of doomed) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Every process and its parent. */
async function processTable(): Promise<Map<number, number>> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => undefined);
    // The command's name stands in parentheses and may hold anything, so fields count from the last one.
    const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (parent !== undefined) parents.set(Number(entry), Number(parent));
  }
  return parents;
}

async function unmountBelow(directories: readonly string[]): Promise<void> {
  for (const point of (await mountsBelow(directories)).toReversed()) {
    await run('umount', ['--lazy', point]).catch(async (error: unknown) => {
      // A shim that was just ending may have been quicker.
      if ((await mountsBelow(directories)).includes(point)) throw error;
    });
  }
}

async function mountsBelow(directories: readonly string[]): Promise<string[]> {
  const mountInfo = await readFile('/proc/self/mountinfo', 'utf8');
  return mountInfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => directories.some((directory) => point.startsWith(`${directory}/`)));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
