import { create, toBinary } from '@bufbuild/protobuf';
import { eventPayloadsProto, runhcsStatsProto, tasksProto, taskTypesProto } from '@loam/containerd/proto';

import { fail } from '../grpc-codes.ts';
import type { LostOutput } from '../recording.ts';
import type { Call, Router } from '../router.ts';
import { createContainer, ioRetryMs, jsonOf, openIo, processUrl, type ShimFacts } from '../runtime/create-task.ts';
import { ModelProcess, type ProcessPlace } from '../runtime/model-process.ts';
import { ModelTask } from '../runtime/model-task.ts';
import type { ProcessSpec } from '../runtime/spec-check.ts';
import { isIdentifier, type ContainerRecord, type ModelState } from '../state.ts';
import { parseFilters } from '../filters.ts';
import { timestamp } from '../timestamp.ts';

export interface TaskServiceOptions extends ShimFacts {
  readonly teardownMs: () => number;
  readonly onLost: (lost: LostOutput) => void;
}

const { Status } = taskTypesProto;
const statuses = { created: Status.CREATED, running: Status.RUNNING, stopped: Status.STOPPED } as const;
const runtimeName = 'io.containerd.runhcs.v1';

/** Tasks under `io.containerd.runhcs.v1`: reference §1.11, §4, §5, §7. */
export function serveTasks(router: Router, state: ModelState, options: TaskServiceOptions): void {
  const { method } = tasksProto.Tasks;
  const { clock, events } = { clock: options.clock, events: state.events };
  const places = new WeakMap<ModelTask, { place: ProcessPlace; container: ContainerRecord }>();
  const creating = new Set<string>();
  let nextPid = 1000;

  const find = (call: Call, id: string): ModelTask => {
    const task = state.namespace(call.namespace).tasks.get(id);
    if (!task) throw fail.notFound(`no running task found: task ${id}`);
    return task;
  };

  router.unary(method.create, async (request, call) => {
    const namespace = state.namespace(call.namespace);
    const { containerId } = request;
    const container = namespace.containers.get(containerId);
    if (!container) throw fail.notFound(`container ${JSON.stringify(containerId)}`);
    if (namespace.tasks.has(containerId) || creating.has(containerId)) throw fail.exists(`task ${containerId}`);
    if (container.runtime?.name !== runtimeName) {
      throw fail.invalid(`failed to resolve runtime path: runtime ${JSON.stringify(container.runtime?.name)}`);
    }
    if (request.options && options.exclusiveRootfs) {
      throw fail.invalid(`invalid task create option for ${runtimeName}`);
    }
    creating.add(containerId);
    try {
      const pid = nextPid++;
      const { init, place, directories, layerFolders } = await createContainer(options, container, request, pid);
      const task = new ModelTask({
        containerId,
        namespace: call.namespace,
        clock,
        init,
        directories,
        layerFolders,
        teardownMs: options.teardownMs,
        onExit: (process) => publishExit(call.namespace, containerId, process),
      });
      places.set(task, { place, container });
      namespace.tasks.set(containerId, task);
      const body = { containerId, bundle: '', pid };
      events.publish(call.namespace, '/tasks/create', eventPayloadsProto.TaskCreateSchema, body);
      return { containerId, pid };
    } finally {
      creating.delete(containerId);
    }
  });

  router.unary(method.start, ({ containerId, execId }, call) => {
    const process = find(call, containerId).process(execId);
    process.start();
    const body = { containerId, pid: process.pid };
    events.publish(call.namespace, '/tasks/start', eventPayloadsProto.TaskStartSchema, body);
    return { pid: process.pid };
  });

  router.unary(method.wait, async ({ containerId, execId }, call) => {
    const task = find(call, containerId);
    const process = task.process(execId);
    const ended = new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()));
    await Promise.race([task.wait(process), ended]);
    return { exitStatus: process.exitStatus, exitedAt: timestamp(process.exitedAtMs) };
  });

  router.unary(method.kill, ({ containerId, execId, signal, all }, call) => {
    const task = find(call, containerId);
    if (task.isShimDead) throw fail.notFound(`process ${containerId}`);
    task.process(execId).kill(signal);
    if (all && execId === '') for (const exec of task.execs.values()) if (exec.status !== 'stopped') exec.kill(signal);
    return {};
  });

  router.unary(method.delete, async ({ containerId }, call) => {
    const task = find(call, containerId);
    const { init } = task;
    // Deleting what was never started ends it.
    if (init.status === 'created') init.terminate(1);
    if (init.status === 'running')
      throw fail.precondition(`task ${containerId} must be stopped before deletion: running`);
    await task.wait(init);
    state.namespace(call.namespace).tasks.delete(containerId);
    const answer = deleteAnswer(init);
    const body = { ...answer, id: containerId, containerId };
    events.publish(call.namespace, '/tasks/delete', eventPayloadsProto.TaskDeleteSchema, body);
    return answer;
  });

  router.unary(method.deleteProcess, async ({ containerId, execId }, call) => {
    const task = find(call, containerId);
    const process = task.process(execId);
    if (process.status === 'running') throw fail.precondition(`process ${execId} must be stopped before deletion`);
    process.terminate(1);
    await task.wait(process);
    task.execs.delete(execId);
    return deleteAnswer(process);
  });

  router.unary(method.get, ({ containerId, execId }, call) => {
    const task = find(call, containerId);
    const process = toProcess(task.process(execId), containerId);
    return { process: task.isShimDead && !task.isOver ? { ...process, status: Status.UNKNOWN } : process };
  });
  router.unary(method.list, (_, call) => ({
    tasks: [...state.namespace(call.namespace).tasks.values()].map(({ init }) => toProcess(init, '')),
  }));

  router.unary(method.exec, async (request, call) => {
    const { containerId, execId, terminal } = request;
    const task = find(call, containerId);
    const known = places.get(task);
    if (!isIdentifier(execId)) throw fail.invalid(`identifier ${JSON.stringify(execId)} is not valid`);
    if (!known) throw fail.notFound(`container ${containerId}`);
    const spec = jsonOf<ProcessSpec>(request.spec, processUrl);
    const io = await openIo(request, terminal, clock, ioRetryMs(known.container));
    task.addExec(new ModelProcess(execId, nextPid++, spec, known.place, io));
    return {};
  });

  router.unary(method.closeIO, ({ containerId, execId, stdin }, call) => {
    // At once: what was not read yet is discarded (reference §5.2).
    if (stdin) find(call, containerId).process(execId).io.stdin?.destroy();
    return {};
  });
  router.unary(method.listPids, ({ containerId }, call) => {
    const { init, execs } = find(call, containerId);
    const running = [init, ...execs.values()].filter(({ status }) => status === 'running');
    return { processes: running.map(({ pid }) => ({ pid })) };
  });
  router.unary(method.update, ({ containerId }, call) => {
    find(call, containerId);
    return {};
  });
  router.unary(method.metrics, ({ filters }, call) => {
    const matches = parseFilters(filters);
    const { namespace } = call;
    const tasks = [...state.namespace(namespace).tasks.keys()];
    const wanted = tasks.filter((id) => matches({ fields: { id, namespace }, labels: {} }));
    return { metrics: wanted.map((id) => ({ id, timestamp: timestamp(clock.now()), data: statistics() })) };
  });

  function publishExit(namespace: string, containerId: string, process: ModelProcess): void {
    const { id, pid, exitStatus, exitedAtMs, io } = process;
    const bytes = io.stdout.lostBytes + io.stderr.lostBytes;
    if (bytes > 0) options.onLost({ namespace, containerId, bytes });
    const body = { containerId, id, pid, exitStatus, exitedAt: timestamp(exitedAtMs) };
    events.publish(namespace, '/tasks/exit', eventPayloadsProto.TaskExitSchema, body);
  }
}

function deleteAnswer({ id, pid, exitStatus, exitedAtMs }: ModelProcess) {
  return { id, pid, exitStatus, exitedAt: timestamp(exitedAtMs) };
}

function toProcess({ id, pid, status, exitStatus, exitedAtMs, io }: ModelProcess, containerId: string) {
  return { containerId, id, pid, status: statuses[status], exitStatus, exitedAt: timestamp(exitedAtMs), ...io.paths };
}

/** The form of the figures, not figures. */
function statistics() {
  const { StatisticsSchema } = runhcsStatsProto;
  const value = { memory: { memoryUsageCommitBytes: 1024n, memoryUsageCommitPeakBytes: 1024n } };
  const message = create(StatisticsSchema, { container: { case: 'windows', value } });
  return { typeUrl: StatisticsSchema.typeName, value: new Uint8Array(toBinary(StatisticsSchema, message)) };
}
