import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { isLoamError, type Clock } from '@loam/base';
import type { Containerd, Mount, RuntimeOptions } from '@loam/containerd';

import { labels } from '../labels.ts';
import { Termination } from '../sandbox/termination.ts';
import type { ToolContainer, ToolRun } from './container-tree.ts';
import { OutputSpool } from './output-spool.ts';
import { PipeStdio } from './pipe-stdio.ts';
import { buildWindowsSpec, type Isolation } from './windows-spec.ts';

export interface ToolContainerOptions {
  readonly client: Containerd;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  readonly agentId: string;
  readonly runtime: (isolation: Isolation) => { readonly name: string; readonly options: RuntimeOptions };
  readonly snapshotter: string;
  /** A view, and how to mount it. */
  readonly key: string;
  readonly mounts: readonly Mount[];
  /** What the snapshot needs; asked for when something is to be read. */
  readonly isolation: () => Promise<Isolation>;
  readonly hostProcessors: number;
  /** Makes the prefix of a run's pipes. */
  readonly pipePrefix: (id: string) => string;
  /** For what programs write. Need not exist. */
  readonly spoolDirectory: string;
  /** What a failed start means. */
  readonly explain: (error: unknown, command: string) => unknown;
  /** How long a killed container may take to be gone. */
  readonly killTimeoutMs: number;
  /** Ends the container past the runtime. */
  readonly lastResort: (id: string) => Promise<void>;
}

const administrator = { kind: 'name', name: 'ContainerAdministrator' } as const;
/** How long output may go on after the exit (reference §5.2). */
const outputAfterExitMs = 10_000;
const maxErrorText = 4096;

/** A container that waits for its standard input to end, and the programs that run in it beside that. */
export class LiveToolContainer implements ToolContainer {
  readonly #options: ToolContainerOptions;
  readonly #id: string;
  readonly #spools = new Set<OutputSpool>();
  readonly #programs = new Set<PipeStdio>();
  #started: Promise<void> | undefined;
  readonly #termination: Termination;
  #stdio: PipeStdio | undefined;

  constructor(options: ToolContainerOptions) {
    const { client, clock, killTimeoutMs, lastResort } = options;
    this.#options = options;
    this.#id = `loam-tree-${options.randomUUID()}`;
    this.#termination = new Termination({ client, clock, id: this.#id, killTimeoutMs, lastResort });
  }

  async run(argv: readonly string[]): Promise<ToolRun> {
    await (this.#started ??= this.#start());
    const { client, randomUUID, spoolDirectory, pipePrefix } = this.#options;
    const execId = `tool-${randomUUID()}`;
    const output = new OutputSpool(join(spoolDirectory, execId));
    this.#spools.add(output);
    let errors = '';
    const stdio = await PipeStdio.listen({
      prefix: pipePrefix(`${this.#id}-${execId.slice(5, 13)}`),
      withStdin: false,
      onOutput: (stream, bytes) => {
        if (stream === 'stdout') output.write(bytes);
        else if (errors.length < maxErrorText) errors += Buffer.from(bytes).toString();
      },
    });
    this.#programs.add(stdio);
    try {
      const process = { args: [...argv], cwd: 'C:\\', env: [], user: { username: administrator.name } };
      const { stdout, stderr } = stdio;
      await client.tasks.exec({ containerId: this.#id, execId, process, stdout, stderr });
      const exit = client.tasks.wait(this.#id, { execId });
      exit.catch(() => undefined);
      await client.tasks.start(this.#id, { execId });
      const finished = this.#finish(execId, stdio, output, exit).then((exitStatus) => ({ exitStatus, errors }));
      finished.catch((error: unknown) => output.fail(error));
      return { output, finished };
    } catch (error) {
      const explained = this.#options.explain(error, argv[0] ?? '');
      output.fail(explained);
      await this.#release(stdio);
      throw explained;
    }
  }

  /** Throws `backend.will-not-die` when the container would not end; what is ours on the host goes all the same. */
  async close(): Promise<void> {
    const { client } = this.#options;
    if (this.#started === undefined) return;
    await this.#started.catch(() => undefined);
    try {
      await this.#termination.ensureDead();
      for (const stdio of this.#programs) await this.#release(stdio);
      await orGone(client.tasks.delete(this.#id));
      await orGone(client.containers.delete(this.#id));
    } finally {
      this.#termination.end();
      for (const stdio of this.#programs) await this.#release(stdio);
      await this.#stdio?.close();
      for (const spool of this.#spools) await spool.remove();
    }
  }

  async #start(): Promise<void> {
    const { client, agentId, runtime, snapshotter, key, mounts, hostProcessors } = this.#options;
    const isolation = await this.#options.isolation();
    await mkdir(this.#options.spoolDirectory, { recursive: true, mode: 0o700 });
    const spec = buildWindowsSpec({
      // Reads its standard input, into which nobody writes.
      argv: ['cmd', '/D', '/Q'],
      cwd: 'C:\\',
      env: [],
      user: administrator,
      hostname: 'tree',
      isolation,
      networkNamespace: undefined,
      limits: {},
      mounts: [],
      hostProcessors,
    });
    this.#stdio = await PipeStdio.listen({
      prefix: this.#options.pipePrefix(this.#id),
      withStdin: true,
      onOutput: () => undefined,
    });
    const { stdin, stdout, stderr } = this.#stdio;
    await client.containers.create({
      id: this.#id,
      labels: { [labels.agent]: agentId, [labels.owner]: 'tree' },
      runtime: runtime(isolation),
      spec,
      snapshotter,
      snapshotKey: key,
    });
    try {
      await client.tasks.create({
        containerId: this.#id,
        rootfs: mounts,
        stdout,
        stderr,
        ...(stdin === undefined ? {} : { stdin }),
      });
      this.#termination.watch();
      await client.tasks.start(this.#id);
    } catch (error) {
      throw this.#options.explain(error, 'cmd');
    }
  }

  async #finish(
    execId: string,
    stdio: PipeStdio,
    output: OutputSpool,
    exit: Promise<{ exitStatus: number }>,
  ): Promise<number> {
    const { client, clock } = this.#options;
    try {
      const { exitStatus } = await exit;
      let stop: (() => void) | undefined;
      await Promise.race([
        stdio.ended,
        new Promise<void>((resolve) => (stop = clock.after(outputAfterExitMs, resolve))),
      ]);
      stop?.();
      output.end();
      await orGone(client.tasks.delete(this.#id, { execId }));
      return exitStatus;
    } finally {
      await this.#release(stdio);
    }
  }

  async #release(stdio: PipeStdio): Promise<void> {
    this.#programs.delete(stdio);
    await stdio.close();
  }
}

async function orGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isLoamError(error, 'containerd.not-found', 'containerd.failed-precondition')) throw error;
  }
}
