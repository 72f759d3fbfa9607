import { sleep, type Clock } from '@loam/base';

import { fail } from '../grpc-codes.ts';
import type { LayerDirectory } from '../storage/layer-directory.ts';
import { exitCode } from './console-signals.ts';
import type { ModelProcess } from './model-process.ts';

export interface TaskOptions {
  readonly containerId: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly init: ModelProcess;
  readonly directories: readonly LayerDirectory[];
  /** What the shim was given as layers, for a look at what 1.x makes of both (reference §4.2). */
  readonly layerFolders: readonly string[];
  /** How long the shutdown of the container and the unmounting of its layers take (reference §4.7). */
  readonly teardownMs: () => number;
  readonly onExit: (process: ModelProcess, isInit: boolean) => void;
}

/** A task under its shim. It outlives a restart of the daemon; with its shim it dies (reference §4.7). */
export class ModelTask {
  readonly containerId: string;
  readonly layerFolders: readonly string[];
  readonly init: ModelProcess;
  readonly execs = new Map<string, ModelProcess>();
  readonly #options: TaskOptions;
  readonly #done = new Map<ModelProcess, Promise<void>>();
  #shimDied: (() => void) | undefined;
  readonly #shimDeath = new Promise<void>((resolve) => (this.#shimDied = resolve));
  isShimDead = false;

  constructor(options: TaskOptions) {
    this.#options = options;
    this.containerId = options.containerId;
    this.layerFolders = options.layerFolders;
    this.init = options.init;
    this.#done.set(this.init, this.#watch(this.init, true));
  }

  addExec(process: ModelProcess): void {
    if (this.execs.has(process.id)) throw fail.exists(`exec ${process.id}`);
    if (this.init.status !== 'running') throw fail.precondition(`container ${this.containerId} is not running`);
    this.execs.set(process.id, process);
    this.#done.set(process, this.#watch(process, false));
  }

  process(execId: string): ModelProcess {
    const found = execId === '' ? this.init : this.execs.get(execId);
    if (!found) throw fail.notFound(`process ${execId} of container ${this.containerId}`);
    return found;
  }

  /** Resolves after the exit; for the first process only when the container is torn down and its scratch detached (§4.7). */
  async wait(process: ModelProcess): Promise<void> {
    await this.#done.get(process);
  }

  /** Whether the first process has ended and everything of it is gone. */
  isOver = false;

  /**
   * The shim process dies: its handle on the compute system was the last one, so the container ends at once. Nobody
   * unmounts the layers, so the scratch stays attached (reference §4.7).
   */
  crashShim(): void {
    this.isShimDead = true;
    for (const process of [this.init, ...this.execs.values()]) {
      process.io.stdout.destroy();
      process.io.stderr.destroy();
      process.terminate(exitCode.shimGone);
    }
    this.#shimDied?.();
  }

  async #watch(process: ModelProcess, isInit: boolean): Promise<void> {
    const { clock, directories, teardownMs, onExit, containerId } = this.#options;
    await Promise.race([process.exited, this.#shimDeath]);
    if (!this.isShimDead) {
      const { stdout, stderr } = process.io;
      // Grandchildren that hold the outputs keep them open until the cut-off.
      const stop = new AbortController();
      await Promise.race([process.released(), sleep(clock, 1_000, stop.signal).catch(() => undefined)]);
      stop.abort();
      await Promise.all([stdout.finish(), stderr.finish()]);
    }
    process.teardown();
    if (isInit && !this.isShimDead) {
      for (const exec of this.execs.values()) exec.terminate(exitCode.controlC);
      const durationMs = teardownMs();
      if (durationMs > 0) await sleep(clock, durationMs);
      for (const directory of directories) if (directory.attachedBy === containerId) directory.attachedBy = undefined;
    }
    if (this.isShimDead) process.exitStatus = exitCode.shimGone;
    if (isInit) this.isOver = true;
    onExit(process, isInit);
  }
}
