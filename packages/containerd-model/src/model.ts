import { systemClock, type Clock } from '@loam/base';
import { serveGrpc } from '@loam/containerd/testing';

import { collectGarbage } from './collector.ts';
import { EventBus } from './event-bus.ts';
import { Faults } from './faults.ts';
import type { Program } from './programs/program.ts';
import { runProgram } from './programs/run-program.ts';
import { Recording } from './recording.ts';
import { Router } from './router.ts';
import type { HostFacts } from './runtime/host.ts';
import type { ModelTask } from './runtime/model-task.ts';
import { serveContainers } from './services/containers.ts';
import { serveContent } from './services/content.ts';
import { serveDiff } from './services/diff.ts';
import { serveEvents } from './services/events.ts';
import { serveImages } from './services/images.ts';
import { serveLeases } from './services/leases.ts';
import { serveServer } from './services/server.ts';
import { serveSnapshots, type SnapshotTimes } from './services/snapshots.ts';
import { serveTasks } from './services/tasks.ts';
import { ModelState } from './state.ts';
import { WindowsSnapshotter, type WindowsSnapshotterOptions } from './storage/windows-snapshotter.ts';

export interface ContainerdModelOptions extends WindowsSnapshotterOptions {
  /** Where it listens: a path of a unix socket, or of a named pipe on Windows. */
  readonly address: string;
  /** `v2.2.0` unless given. 1.x joins rootfs and layerFolders where 2.x refuses both (reference §4.2). */
  readonly version?: string;
  readonly clock?: Clock;
  /** What runs in place of Windows programs. */
  readonly program?: Program;
  /** Programs (`cmd`, `tar`) that every image has: for suites that read snapshots under which no base image stands. */
  readonly presentPrograms?: readonly string[];
  readonly host?: Partial<HostFacts>;
  readonly snapshotterInitError?: string;
  /** How long a commit holds the daemon's metadata lock; not at all unless given (reference §3.2). */
  readonly commitMs?: SnapshotTimes['commitMs'];
  /** How long the end of a container takes after that of its process; no time unless given (reference §4.7). */
  readonly teardownMs?: () => number;
  /** After how many writes the collector runs by itself; 100 as in containerd. 1 finds what is not protected (reference §2.1). */
  readonly mutationThreshold?: number;
}

/**
 * A model of containerd on Windows, on a real socket, for tests on machines without it. It was made from reading sources
 * (windows-containers.md of the reference) and has never been compared with a Windows host: what passes here may fail
 * there.
 */
export class ContainerdModel {
  readonly address: string;
  readonly faults: Faults;
  /** Every call so far. */
  readonly recording = new Recording();
  readonly #state: ModelState;
  readonly #router: Router;
  #server: { close(): Promise<void> } | undefined;

  static async start(options: ContainerdModelOptions): Promise<ContainerdModel> {
    const model = new ContainerdModel(options);
    await model.startDaemon();
    return model;
  }

  private constructor(options: ContainerdModelOptions) {
    const { clock = systemClock, version = 'v2.2.0', mutationThreshold = 100 } = options;
    this.address = options.address;
    this.faults = new Faults(clock);
    this.#router = new Router(this.faults, this.recording);
    const snapshotter = new WindowsSnapshotter(options);
    this.#state = new ModelState(clock, new EventBus(clock), snapshotter);
    let writes = 0;
    this.#state.onWrite(() => {
      writes += 1;
      if (writes % mutationThreshold === 0) collectGarbage(this.#state);
    });
    serveServer(this.#router, this.#state, { version, snapshotterInitError: options.snapshotterInitError });
    serveLeases(this.#router, this.#state);
    serveContent(this.#router, this.#state);
    serveImages(this.#router, this.#state);
    serveSnapshots(this.#router, this.#state, { commitMs: options.commitMs ?? (() => 0) });
    serveDiff(this.#router, this.#state);
    serveContainers(this.#router, this.#state);
    serveTasks(this.#router, this.#state, {
      clock,
      host: { build: 20348, hyperV: false, hasNetworkNamespace: undefined, ...options.host },
      program: options.program ?? runProgram,
      presentPrograms: options.presentPrograms ?? [],
      snapshotter,
      exclusiveRootfs: !/^v?1\./.test(version),
      teardownMs: options.teardownMs ?? (() => 0),
      onLost: (lost) => this.recording.lost.push(lost),
    });
    serveEvents(this.#router, this.#state);
  }

  /** Starts the server on what the last one left: metadata is on disk, and tasks live on under their shims (reference §4.7). */
  async startDaemon(): Promise<void> {
    this.#server ??= await serveGrpc(this.address, this.#router.handlers);
  }

  /** The daemon is killed: every connection breaks. */
  async killDaemon(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }

  /** One pass of the collector, with its pruning of directories. */
  collectGarbage(): Promise<void> {
    return this.#state.write(() => collectGarbage(this.#state));
  }

  /** The shim of a task dies (reference §4.7). */
  crashShim(namespace: string, containerId: string): void {
    this.#task(namespace, containerId).crashShim();
  }

  /** The layers that a task's shim was given. */
  layerFoldersOf(namespace: string, containerId: string): readonly string[] {
    return this.#task(namespace, containerId).layerFolders;
  }

  /** Names in the snapshotter's directory: `<id>` and `rm-<id>`. */
  snapshotDirectories(): string[] {
    return this.#state.snapshotter.list();
  }

  /** What a committed snapshot's own directory holds; undefined when there is no such snapshot. */
  layerOf(namespace: string, name: string): { readonly hasFiles: boolean } | undefined {
    return this.#state.namespaces.get(namespace)?.snapshots.get(name)?.directory.committed;
  }

  /** Text of a file as a child of that snapshot would see it. */
  textIn(namespace: string, name: string, path: string): string | undefined {
    const tree = this.#state.namespaces.get(namespace)?.snapshots.get(name)?.directory.committed?.tree;
    const bytes = tree?.readFile(path);
    return bytes && Buffer.from(bytes).toString();
  }

  /** Ends the server and everything that runs. */
  async close(): Promise<void> {
    for (const namespace of this.#state.namespaces.values()) {
      for (const task of namespace.tasks.values()) task.crashShim();
    }
    await this.killDaemon();
  }

  #task(namespace: string, containerId: string): ModelTask {
    const task = this.#state.namespaces.get(namespace)?.tasks.get(containerId);
    if (!task) throw new Error(`no task ${containerId}`);
    return task;
  }
}
