import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { busyboxImageArchive, findLeftovers } from '@loam/backend-containerd';
import { systemClock } from '@loam/base';
import { connect } from '@loam/containerd';

import { readIdentity } from '../config.ts';
import { socketPath, startPrivateContainerd } from '../containerd-process.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `loam-agent` that runs as a process of its own. */
export interface AgentProcess {
  readonly child: ChildProcess;
  /** Resolves when its standard output holds `text`. Rejects when it ends first. */
  printed(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

/** Holds a script of a step here until `letGo`, however long a test takes to come to that. */
export const waits = 'until [ -e /go ]; do sleep 0.05; done';

/** Lets steps go on that wait: those whose command line holds `text`, which must be in no other one on this host. */
export function letGo(text: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)) writeFileSync(`/proc/${pid}/root/go`, '');
    } catch {
      // Ended while we looked.
    }
  }
}

/** A state directory with a private containerd, for tests of the real program. */
export class TestInstall {
  readonly home: string = mkdtempSync(join(tmpdir(), 'loam-agent-'));
  readonly state: string = join(this.home, 'state');
  readonly #running = new Map<ChildProcess, Promise<Ended>>();

  start(...args: string[]): AgentProcess {
    const child = spawn(process.execPath, [main, ...args, '--state', this.state], {
      env: { ...process.env, LOAM_CONTAINERD: undefined, NO_COLOR: '1' },
      cwd: this.home,
    });
    let stdout = '';
    let stderr = '';
    const look = new Set<() => void>();
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      for (const check of look) check();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = once(child, 'close').then(([code]) => {
      this.#running.delete(child);
      for (const check of look) check();
      return { code: code as number | null, stdout, stderr };
    });
    this.#running.set(child, ended);
    return {
      child,
      ended,
      printed: (text) =>
        new Promise((resolve, reject) => {
          const check = (): void => {
            if (stdout.includes(text)) resolve();
            else if (child.exitCode !== null || child.signalCode !== null)
              reject(new Error(`ended: ${stdout}${stderr}`));
            else return;
            look.delete(check);
          };
          look.add(check);
          check();
        }),
    };
  }

  /** Runs a command to its end. Its containerd stays for the next one. */
  async run(...args: string[]): Promise<Ended> {
    const keep = args[0] === 'enrol' ? [] : ['--keep-containerd'];
    return await this.start(...args, ...keep).ended;
  }

  /** Writes a file below the home directory and gives its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.home, name);
    writeFileSync(path, content);
    return path;
  }

  /** Makes `loam.local/busybox:latest` known. */
  async importBusybox(): Promise<void> {
    const parts: Uint8Array[] = [];
    const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const archive = busyboxImageArchive({ busyboxPath: '/bin/busybox', platform: { os: 'linux', architecture } });
    for await (const part of archive) parts.push(part);
    const { code, stderr } = await this.run('image', 'import', this.file('busybox.tar', Buffer.concat(parts)));
    if (code !== 0) throw new Error(stderr);
  }

  get socket(): string {
    return socketPath(join(this.state, 'containerd'));
  }

  /** As a crash or the kernel, short of memory, would end it. */
  killContainerd(): void {
    process.kill(Number(readFileSync(join(this.state, 'containerd', 'containerd.pid'), 'utf8')), 'SIGKILL');
  }

  /** Tasks, containers, working snapshots, leases and mounts of this agent: a line each. */
  async leftovers(): Promise<string[]> {
    const client = connect({ address: this.socket, namespace: 'loam' });
    try {
      return await findLeftovers(client, readIdentity(this.state), this.state);
    } finally {
      client.close();
    }
  }

  /** Ends everything that was started here, containerd last, and deletes the directory. */
  async close(): Promise<void> {
    const ended = [...this.#running.values()];
    for (const child of this.#running.keys()) child.kill('SIGKILL');
    await Promise.all(ended);
    const daemon = await startPrivateContainerd(join(this.state, 'containerd'), systemClock);
    await daemon.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}
