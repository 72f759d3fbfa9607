import { fromBinary, isMessage, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { containersProto, runhcsProto, tasksProto, type typesProto } from '@loam/containerd/proto';

import type { Recording } from './recording.ts';
import type { WindowsSpec } from './runtime/spec-check.ts';

/** What a client asked for in one run, read out of its calls. */
export interface RecordedRun {
  readonly containerId: string;
  readonly snapshotter: string;
  readonly snapshotKey: string;
  readonly spec: WindowsSpec;
  readonly options: MessageShape<typeof runhcsProto.OptionsSchema>;
  /** Empty when no task was asked for. */
  readonly rootfs: readonly typesProto.Mount[];
  readonly startedTasks: number;
  /** In order. */
  readonly signals: readonly number[];
}

/** Every container that was asked for on Windows, in order. */
export function recordedRuns(recording: Recording): RecordedRun[] {
  const tasks = requests(recording, tasksProto.CreateTaskRequestSchema);
  const starts = requests(recording, tasksProto.StartRequestSchema);
  const kills = requests(recording, tasksProto.KillRequestSchema);
  return requests(recording, containersProto.CreateContainerRequestSchema).map(({ container }) => {
    const { id = '', snapshotter = '', snapshotKey = '', spec, runtime } = container ?? {};
    return {
      containerId: id,
      snapshotter,
      snapshotKey,
      spec: JSON.parse(new TextDecoder().decode(spec?.value)) as WindowsSpec,
      options: fromBinary(runhcsProto.OptionsSchema, runtime?.options?.value ?? new Uint8Array()),
      rootfs: tasks.find(({ containerId }) => containerId === id)?.rootfs ?? [],
      startedTasks: starts.filter(({ containerId, execId }) => containerId === id && execId === '').length,
      signals: kills.filter(({ containerId }) => containerId === id).map(({ signal }) => signal),
    };
  });
}

function requests<D extends DescMessage>({ calls }: Recording, schema: D): MessageShape<D>[] {
  return calls.flatMap(({ request }) => (isMessage(request, schema) ? [request as MessageShape<D>] : []));
}
