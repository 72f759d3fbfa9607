import { anyJson, anyRuntimeOptions, type RuntimeOptions } from '../any.ts';
import { Tasks } from '../gen/services/tasks_pb.ts';
import { Status, type Process } from '../gen/types/task_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { fromMounts, toDate, type Mount } from '../values.ts';
import { toMetrics, type TaskMetrics } from './task-metrics.ts';

export type TaskStatus = 'unknown' | 'created' | 'running' | 'stopped' | 'paused' | 'pausing';

/**
 * Where a process reads and writes. Linux: FIFOs that exist; Windows: pipes that listen. (`file:///path` on Linux is not
 * to be relied on: the shim of 1.6.20 writes both streams to the file of stdout, and was seen to lose those of stderr.)
 */
export interface Stdio {
  readonly stdin?: string;
  /** If any of the three is given, runc's shim wants both stdout and stderr. */
  readonly stdout?: string;
  readonly stderr?: string;
  readonly terminal?: boolean;
}

export interface NewTask extends Stdio {
  readonly containerId: string;
  /** The mounts of the container's snapshot, as the snapshotter gave them. */
  readonly rootfs: readonly Mount[];
  /** Only for runc; containerd 2 takes these for runc's whatever the runtime. Otherwise set them on the container. */
  readonly options?: RuntimeOptions;
}

export interface NewProcess extends Stdio {
  readonly containerId: string;
  readonly execId: string;
  /** The OCI `process` document. */
  readonly process: object;
}

export interface Task {
  readonly containerId: string;
  readonly pid: number;
  readonly status: TaskStatus;
  /** Meaningful when stopped; 32 bits, unsigned. */
  readonly exitStatus: number;
  readonly exitedAt: Date;
}

export interface TaskExit {
  /** 32 bits, unsigned. */
  readonly exitStatus: number;
  readonly exitedAt: Date;
}

/** Names a process that was added to a task; without it the task's first process is meant. */
export interface OfProcess {
  readonly execId?: string;
}

/** Running containers. A task has the id of its container, and a container has one task at most. */
export interface TasksApi {
  /** Sets the container up without running anything yet. */
  create(task: NewTask, options?: CallOptions): Promise<{ pid: number }>;
  start(containerId: string, options?: CallOptions & OfProcess): Promise<{ pid: number }>;
  /** Resolves when the process has ended; no deadline unless given. Ask before `start`, so that no exit is missed. */
  wait(containerId: string, options?: CallOptions & OfProcess): Promise<TaskExit>;
  /** On Windows numbers mean other things than on Linux, but 9 always ends the process. */
  kill(
    containerId: string,
    signalNumber: number,
    options?: CallOptions & OfProcess & { readonly all?: boolean },
  ): Promise<void>;
  /** Fails with `containerd.failed-precondition` while the process runs. */
  delete(containerId: string, options?: CallOptions & OfProcess): Promise<TaskExit>;
  get(containerId: string, options?: CallOptions): Promise<Task>;
  list(options?: CallOptions): Promise<Task[]>;
  /** Adds a process to a running task; `start` with its id runs it. */
  exec(process: NewProcess, options?: CallOptions): Promise<void>;
  /** Linux: end of file on stdin comes only by this, after one's own side is closed. */
  closeIO(containerId: string, options?: CallOptions & OfProcess): Promise<void>;
  pids(containerId: string, options?: CallOptions): Promise<number[]>;
  /** Undefined when containerd has no figures for it, or in a form unknown here. */
  metrics(containerId: string, options?: CallOptions): Promise<TaskMetrics | undefined>;
  /** Changes the limits of a running task; the OCI `resources` of that platform. */
  update(
    containerId: string,
    resources: { readonly linux: object } | { readonly windows: object },
    options?: CallOptions,
  ): Promise<void>;
}

export function tasksApi(rpc: Rpc): TasksApi {
  const { method } = Tasks;
  return {
    async create({ containerId, rootfs, options: runtimeOptions, ...stdio }, options) {
      const request = {
        containerId,
        rootfs: fromMounts(rootfs),
        ...stdio,
        ...(runtimeOptions && { options: anyRuntimeOptions(runtimeOptions) }),
      };
      const { pid } = await rpc.unary(method.create, request, options, deadlines.createTask);
      return { pid };
    },
    async start(containerId, options) {
      const request = { containerId, execId: options?.execId ?? '' };
      const { pid } = await rpc.unary(method.start, request, options, deadlines.startTask);
      return { pid };
    },
    async wait(containerId, options) {
      const request = { containerId, execId: options?.execId ?? '' };
      return toExit(await rpc.unary(method.wait, request, options, undefined));
    },
    async kill(containerId, signalNumber, options) {
      const { execId = '', all = false } = options ?? {};
      const request = { containerId, execId, signal: signalNumber, all };
      await rpc.unary(method.kill, request, options, deadlines.killTask);
    },
    async delete(containerId, options) {
      if (options?.execId === undefined) {
        return toExit(await rpc.unary(method.delete, { containerId }, options, deadlines.deleteTask));
      }
      const request = { containerId, execId: options.execId };
      return toExit(await rpc.unary(method.deleteProcess, request, options, deadlines.deleteTask));
    },
    async get(containerId, options) {
      const { process } = await rpc.unary(method.get, { containerId }, options, deadlines.metadata);
      return toTask(process);
    },
    async list(options) {
      const { tasks } = await rpc.unary(method.list, {}, options, deadlines.metadata);
      return tasks.map(toTask);
    },
    async exec({ containerId, execId, process, ...stdio }, options) {
      const request = { containerId, execId, spec: anyJson('process', process), ...stdio };
      await rpc.unary(method.exec, request, options, deadlines.createTask);
    },
    async closeIO(containerId, options) {
      const request = { containerId, execId: options?.execId ?? '', stdin: true };
      await rpc.unary(method.closeIO, request, options, deadlines.metadata);
    },
    async pids(containerId, options) {
      const { processes } = await rpc.unary(method.listPids, { containerId }, options, deadlines.metadata);
      return processes.map(({ pid }) => pid);
    },
    async metrics(containerId, options) {
      const request = { filters: [`id==${containerId},namespace==${rpc.namespace}`] };
      const { metrics } = await rpc.unary(method.metrics, request, options, deadlines.metadata);
      return toMetrics(metrics.find(({ id }) => id === containerId));
    },
    async update(containerId, resources, options) {
      const packed =
        'linux' in resources
          ? anyJson('linuxResources', resources.linux)
          : anyJson('windowsResources', resources.windows);
      await rpc.unary(method.update, { containerId, resources: packed }, options, deadlines.metadata);
    },
  };
}

const statuses: Record<number, TaskStatus> = {
  [Status.CREATED]: 'created',
  [Status.RUNNING]: 'running',
  [Status.STOPPED]: 'stopped',
  [Status.PAUSED]: 'paused',
  [Status.PAUSING]: 'pausing',
};

function toTask(process: Process | undefined): Task {
  return {
    // `List` leaves container_id empty; there, and for a first process in `Get`, `id` is the container's.
    containerId: process?.containerId || process?.id || '',
    pid: process?.pid ?? 0,
    status: statuses[process?.status ?? 0] ?? 'unknown',
    exitStatus: process?.exitStatus ?? 0,
    exitedAt: toDate(process?.exitedAt),
  };
}

function toExit(answer: { exitStatus: number; exitedAt?: Parameters<typeof toDate>[0] }): TaskExit {
  return { exitStatus: answer.exitStatus, exitedAt: toDate(answer.exitedAt) };
}
