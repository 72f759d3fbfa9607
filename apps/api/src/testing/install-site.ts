import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Agent, EnrolmentToken } from '@loam/contracts';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { startFarmHost, type FarmHost, type TestFarm } from './farm.ts';

const agentMain = fileURLToPath(new URL('../../../agent/src/main.ts', import.meta.url));
const name = 'loam-agent-linux-x64';

/** Stands in for the package: the real agent, run from its sources, in one file. What a package is tried for is tools/package. */
export const standIn = `#!/bin/sh\nexec '${process.execPath}' '${agentMain}' "$@"\n`;
export const sha256 = createHash('sha256').update(standIn).digest('hex');

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** A farm that has a package of the agent, and for each test an empty directory, to be made a host of it. */
class InstallSite {
  host!: FarmHost;
  farm!: TestFarm;
  /** Where the farm looks for packages. */
  packages!: string;
  /** In the place of the host's root. */
  root!: string;
  readonly #running: ChildProcess[] = [];

  async open(): Promise<void> {
    this.host = await startFarmHost();
    this.packages = mkdtempSync(join(tmpdir(), 'loam-packages-'));
    writeFileSync(join(this.packages, name), standIn);
    this.offer(sha256);
    this.farm = await this.host.farm({ packagesDirectory: this.packages });
    await this.farm.listen();
  }

  async close(): Promise<void> {
    await this.host.close();
    rmSync(this.packages, { recursive: true, force: true });
  }

  makeRoot(): void {
    this.root = mkdtempSync(join(tmpdir(), 'loam-root-'));
  }

  /** Ends what runs from the root, removes it, and makes the farm's offer good again. */
  async removeRoot(): Promise<void> {
    for (const child of this.#running.splice(0)) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.root, { recursive: true, force: true });
    this.offer(sha256);
  }

  /** Has the farm say that its package has this digest. */
  offer(digest: string): void {
    const file = { platform: 'linux-x64', name, size: standIn.length, sha256: digest };
    writeFileSync(join(this.packages, 'manifest.json'), JSON.stringify({ version: '9.9.9', files: [file] }));
  }

  /** The line that the farm gives, for a directory instead of the host. */
  async pastedLine(options = ''): Promise<{ line: string; token: string }> {
    const body = { pool: 'linux', slots: 3 };
    const made = await this.farm.call('POST', '/enrolment-tokens', body, { host: new URL(this.farm.url).host });
    const { token, commands } = made.json<EnrolmentToken>();
    return { line: `${commands.linux} --root ${this.root} --name soil-7 ${options}`, token };
  }

  /** The installed agent, until the test ends. */
  startAgent(): void {
    const child = spawn(this.program(), ['run', '--state', this.state(), '--grace', '1s'], { stdio: 'ignore' });
    this.#running.push(child);
  }

  program(): string {
    return join(this.root, 'usr/local/bin/loam-agent');
  }

  state(): string {
    return join(this.root, 'var/lib/loam-agent');
  }

  async agents(): Promise<Agent[]> {
    return (await this.farm.call('GET', '/agents')).json<{ items: Agent[] }>().items;
  }
}

/** One farm for all tests of a file, and a root for each. */
export function useInstallSite(): InstallSite {
  const site = new InstallSite();
  beforeAll(() => site.open());
  beforeEach(() => site.makeRoot());
  afterEach(() => site.removeRoot());
  afterAll(() => site.close());
  return site;
}

export function shell(line: string, environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '', LOAM_INSTALL_RETRY_SECONDS: '0', ...environment };
  return new Promise((resolve) => {
    execFile('sh', ['-c', line], { env, cwd: tmpdir() }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr }),
    );
  });
}
