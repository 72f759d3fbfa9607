import type { Clock } from '@loam/base';
import type { MessageShape } from '@bufbuild/protobuf';
import type { containersProto, typesProto } from '@loam/containerd/proto';

import type { EventBus } from './event-bus.ts';
import { fail } from './grpc-codes.ts';
import type { ModelTask } from './runtime/model-task.ts';
import type { LayerDirectory } from './storage/layer-directory.ts';
import type { WindowsSnapshotter } from './storage/windows-snapshotter.ts';

export type Labels = Record<string, string>;

export interface LeaseRecord {
  readonly id: string;
  readonly createdAtMs: number;
  readonly labels: Labels;
  /** `<type> <id>`. */
  readonly resources: Map<string, { readonly id: string; readonly type: string }>;
}
export interface BlobRecord {
  readonly digest: string;
  readonly bytes: Uint8Array;
  labels: Labels;
  readonly createdAtMs: number;
  updatedAtMs: number;
}
export interface IngestRecord {
  readonly ref: string;
  readonly startedAtMs: number;
  updatedAtMs: number;
  bytes: Uint8Array[];
  offset: number;
  total: number;
  expected: string;
  locked: boolean;
}
export interface ImageRecord {
  readonly name: string;
  labels: Labels;
  target: MessageShape<typeof typesProto.DescriptorSchema>;
  readonly createdAtMs: number;
  updatedAtMs: number;
}
export interface SnapshotRecord {
  readonly name: string;
  readonly parent: string;
  readonly kind: 'view' | 'active' | 'committed';
  labels: Labels;
  readonly createdAtMs: number;
  updatedAtMs: number;
  readonly directory: LayerDirectory;
}
export type ContainerRecord = MessageShape<typeof containersProto.ContainerSchema>;

/** What one namespace holds. */
export class Namespace {
  readonly name: string;
  readonly labels: Labels = {};
  readonly leases = new Map<string, LeaseRecord>();
  readonly blobs = new Map<string, BlobRecord>();
  readonly ingests = new Map<string, IngestRecord>();
  readonly images = new Map<string, ImageRecord>();
  readonly snapshots = new Map<string, SnapshotRecord>();
  readonly containers = new Map<string, ContainerRecord>();
  readonly tasks = new Map<string, ModelTask>();

  constructor(name: string) {
    this.name = name;
  }

  isEmpty(): boolean {
    const maps = [this.leases, this.blobs, this.images, this.snapshots, this.containers, this.tasks];
    return maps.every((map) => map.size === 0);
  }

  /** Attaches what a call makes to the lease of its header, which must exist (reference §1.5). */
  attach(lease: string | undefined, type: string, id: string): void {
    if (lease === undefined) return;
    this.lease(lease).resources.set(`${type} ${id}`, { id, type });
  }

  detach(lease: string | undefined, type: string, id: string): void {
    if (lease !== undefined) this.leases.get(lease)?.resources.delete(`${type} ${id}`);
  }

  lease(id: string): LeaseRecord {
    const lease = this.leases.get(id);
    if (!lease) throw fail.notFound(`lease ${JSON.stringify(id)} does not exist`);
    return lease;
  }
}

/** Everything that the daemon keeps on disk, and what runs beside it: it outlives a restart of the server. */
export class ModelState {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly snapshotter: WindowsSnapshotter;
  readonly namespaces = new Map<string, Namespace>();
  /** Snapshots whose metadata is gone and whose directory the next prune pass takes (reference §2.4). */
  readonly doomed = new Set<LayerDirectory>();
  sequence = 0;
  #writes: Promise<unknown> = Promise.resolve();
  readonly #afterWrite: (() => void)[] = [];

  constructor(clock: Clock, events: EventBus, snapshotter: WindowsSnapshotter) {
    this.clock = clock;
    this.events = events;
    this.snapshotter = snapshotter;
  }

  /** Namespaces come into being with the first thing in them. */
  namespace(name: string): Namespace {
    const known = this.namespaces.get(name);
    if (known) return known;
    if (!isIdentifier(name)) throw fail.invalid(`identifier ${JSON.stringify(name)} must match [A-Za-z0-9._-]`);
    const made = new Namespace(name);
    this.namespaces.set(name, made);
    return made;
  }

  /** The one write transaction of the metadata store: whoever writes waits for whoever is writing (reference §3.2). */
  async write<T>(work: () => Promise<T> | T): Promise<T> {
    const turn = this.#writes.then(work);
    this.#writes = turn.catch(() => undefined);
    const result = await turn;
    for (const listener of this.#afterWrite) listener();
    return result;
  }

  onWrite(listener: () => void): void {
    this.#afterWrite.push(listener);
  }
}

/** Of namespaces, containers and execs, not of snapshots and leases (reference §1.1). */
export function isIdentifier(text: string): boolean {
  return text.length <= 76 && /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/.test(text);
}

/** Labels as stored: an empty value is no label, and key and value have 4096 bytes together (reference §1.1). */
export function storedLabels(labels: Readonly<Record<string, string>>): Labels {
  for (const [name, value] of Object.entries(labels)) {
    if (name.length + value.length > 4096) throw fail.invalid(`label key and value length greater than maximum size`);
  }
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));
}

/** Labels after an update: mask `labels` replaces all, `labels.<name>` sets or removes one (reference §1.6). */
export function updatedLabels(old: Labels, given: Readonly<Record<string, string>>, paths: readonly string[]): Labels {
  let labels = { ...old };
  for (const path of paths) {
    if (path === 'labels') labels = { ...given };
    else if (path.startsWith('labels.')) labels[path.slice(7)] = given[path.slice(7)] ?? '';
    else if (path !== 'target') throw fail.invalid(`cannot update ${path} field`);
  }
  return storedLabels(labels);
}
