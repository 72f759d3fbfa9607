import type { Any } from '@bufbuild/protobuf/wkt';
import { unpack } from '../any.ts';
import {
  ContainerCreateSchema,
  ContainerDeleteSchema,
  ContentDeleteSchema,
  SnapshotCommitSchema,
  SnapshotPrepareSchema,
  SnapshotRemoveSchema,
  TaskCreateSchema,
  TaskDeleteSchema,
  TaskExitSchema,
  TaskOOMSchema,
  TaskStartSchema,
} from '../gen/events/events_pb.ts';
import { ImageCreateSchema, ImageDeleteSchema, ImageUpdateSchema } from '../gen/events/images_pb.ts';
import { Events } from '../gen/services/events_pb.ts';
import type { Envelope } from '../gen/types/types_pb.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { toDate } from '../values.ts';

/** What happened. `execId` equals `containerId` for a task's first process. */
export type EventBody =
  | { readonly kind: 'task-create'; readonly containerId: string; readonly pid: number }
  | { readonly kind: 'task-start'; readonly containerId: string; readonly pid: number }
  | {
      readonly kind: 'task-exit' | 'task-delete';
      readonly containerId: string;
      readonly execId: string;
      readonly pid: number;
      readonly exitStatus: number;
      readonly exitedAt: Date;
    }
  | { readonly kind: 'task-oom'; readonly containerId: string }
  | { readonly kind: 'container-create' | 'container-delete'; readonly containerId: string }
  | { readonly kind: 'snapshot-prepare'; readonly key: string; readonly parent: string }
  | { readonly kind: 'snapshot-commit'; readonly key: string; readonly name: string }
  | { readonly kind: 'snapshot-remove'; readonly key: string }
  | { readonly kind: 'image-create' | 'image-update' | 'image-delete'; readonly name: string }
  | { readonly kind: 'content-delete'; readonly digest: string }
  | { readonly kind: 'other'; readonly typeUrl: string };

export type ContainerdEvent = EventBody & {
  readonly at: Date;
  readonly namespace: string;
  /** As in `/tasks/exit`. */
  readonly topic: string;
};

export interface EventsApi {
  /**
   * Events that match any of the filters, as in `topic=="/tasks/oom"`; only the client's namespace unless
   * `allNamespaces`. Asks at once, before the first read. Nothing is replayed and nothing is promised: subscribe
   * first, then list; and `tasks.wait` is what an exit is learnt from. Ends with `containerd.unavailable` when the
   * daemon goes.
   */
  subscribe(
    filters?: readonly string[],
    options?: CallOptions & { readonly allNamespaces?: boolean },
  ): AsyncIterable<ContainerdEvent>;
}

export function eventsApi(rpc: Rpc): EventsApi {
  return {
    subscribe(filters = [], options) {
      const request = { filters: options?.allNamespaces ? [...filters] : within(rpc.namespace, filters) };
      return toEvents(rpc.stream(Events.method.subscribe, request, options, undefined));
    },
  };
}

/** The daemon sends the events of every namespace, so the filters carry it. */
function within(namespace: string, filters: readonly string[]): string[] {
  const own = `namespace==${JSON.stringify(namespace)}`;
  return filters.length === 0 ? [own] : filters.map((filter) => `${filter},${own}`);
}

async function* toEvents(envelopes: AsyncIterable<Envelope>): AsyncGenerator<ContainerdEvent, void, undefined> {
  for await (const { timestamp, namespace, topic, event } of envelopes) {
    yield { ...toBody(event), at: toDate(timestamp), namespace, topic };
  }
}

function toBody(event: Any | undefined): EventBody {
  for (const decode of decoders) {
    const body = decode(event);
    if (body) return body;
  }
  return { kind: 'other', typeUrl: event?.typeUrl ?? '' };
}

const decoders: readonly ((event: Any | undefined) => EventBody | undefined)[] = [
  (event) => {
    const exit = unpack(event, TaskExitSchema);
    return exit && { kind: 'task-exit', ...ended(exit) };
  },
  (event) => {
    const deleted = unpack(event, TaskDeleteSchema);
    return deleted && { kind: 'task-delete', ...ended({ ...deleted, id: deleted.id || deleted.containerId }) };
  },
  (event) => {
    const oom = unpack(event, TaskOOMSchema);
    return oom && { kind: 'task-oom', containerId: oom.containerId };
  },
  (event) => {
    const created = unpack(event, TaskCreateSchema);
    return created && { kind: 'task-create', containerId: created.containerId, pid: created.pid };
  },
  (event) => {
    const started = unpack(event, TaskStartSchema);
    return started && { kind: 'task-start', containerId: started.containerId, pid: started.pid };
  },
  (event) => {
    const created = unpack(event, ContainerCreateSchema);
    return created && { kind: 'container-create', containerId: created.id };
  },
  (event) => {
    const deleted = unpack(event, ContainerDeleteSchema);
    return deleted && { kind: 'container-delete', containerId: deleted.id };
  },
  (event) => {
    const prepared = unpack(event, SnapshotPrepareSchema);
    return prepared && { kind: 'snapshot-prepare', key: prepared.key, parent: prepared.parent };
  },
  (event) => {
    const committed = unpack(event, SnapshotCommitSchema);
    return committed && { kind: 'snapshot-commit', key: committed.key, name: committed.name };
  },
  (event) => {
    const removed = unpack(event, SnapshotRemoveSchema);
    return removed && { kind: 'snapshot-remove', key: removed.key };
  },
  (event) => {
    const created = unpack(event, ImageCreateSchema);
    return created && { kind: 'image-create', name: created.name };
  },
  (event) => {
    const updated = unpack(event, ImageUpdateSchema);
    return updated && { kind: 'image-update', name: updated.name };
  },
  (event) => {
    const deleted = unpack(event, ImageDeleteSchema);
    return deleted && { kind: 'image-delete', name: deleted.name };
  },
  (event) => {
    const deleted = unpack(event, ContentDeleteSchema);
    return deleted && { kind: 'content-delete', digest: deleted.digest };
  },
];

function ended(process: {
  containerId: string;
  id: string;
  pid: number;
  exitStatus: number;
  exitedAt?: Parameters<typeof toDate>[0];
}) {
  const { containerId, id, pid, exitStatus, exitedAt } = process;
  return { containerId, execId: id, pid, exitStatus, exitedAt: toDate(exitedAt) };
}
