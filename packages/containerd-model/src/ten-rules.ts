import { isMessage, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { containersProto, diffProto, snapshotsProto, tasksProto } from '@loam/containerd/proto';

import type { RecordedCall, Recording } from './recording.ts';
import type { ProcessSpec, WindowsSpec } from './runtime/spec-check.ts';

interface Seen<D extends DescMessage> {
  readonly call: RecordedCall;
  readonly request: MessageShape<D>;
}
type Run = Seen<typeof tasksProto.CreateTaskRequestSchema>;

/**
 * What in a client's conduct breaks one of the ten rules of the reference's §0: a line for each breach, beginning with
 * `rule N`. Empty for a client that keeps them all.
 */
export function brokenRules(recording: Recording): string[] {
  const breaches = checkers.flatMap((check, index) => check(recording).map((what) => `rule ${index + 1}: ${what}`));
  return [...new Set(breaches)];
}

/** In the order of the rules. */
const checkers: readonly ((recording: Recording) => string[])[] = [
  function extractMark(recording) {
    const inNamespaces = recording.calls
      .filter(({ namespace }) => hasMark(namespace))
      .map(({ namespace }) => `"extract" in the namespace ${namespace}`);
    const keys = keysBySource(recording);
    const keyOf = (source: string | undefined): string => keys.get(source ?? '') ?? '';
    const unpacked = of(recording, diffProto.ApplyRequestSchema).map(({ request }) => keyOf(request.mounts[0]?.source));
    const run = runs(recording).map(({ request }) => keyOf(request.rootfs[0]?.source));
    return [
      ...inNamespaces,
      ...unpacked.filter((key) => key !== '' && !key.includes('extract')).map((key) => `${key} is unpacked into`),
      ...run.filter(hasMark).map((key) => `${key} is run on`),
    ];
  },
  function protection(recording) {
    const isBare = ({ call, request }: Seen<DescMessage>): boolean =>
      call.lease === undefined && !(request as { labels?: Record<string, string> }).labels?.['containerd.io/gc.root'];
    const { CommitSnapshotRequestSchema, PrepareSnapshotRequestSchema, ViewSnapshotRequestSchema } = snapshotsProto;
    const committed = of(recording, CommitSnapshotRequestSchema).filter(isBare);
    const prepared = [
      ...of(recording, PrepareSnapshotRequestSchema).filter(isBare),
      ...of(recording, ViewSnapshotRequestSchema).filter(isBare),
    ];
    return [
      ...committed.map(({ request }) => `${request.name} is committed with neither root label nor lease`),
      ...prepared.map(({ request }) => `${request.key} is prepared with neither root label nor lease`),
    ];
  },
  function bareTypeUrls(recording) {
    return recording.calls
      .flatMap(({ request }) => typeUrls(request))
      .filter((url) => url.includes('/') && !url.startsWith('types.containerd.io/'))
      .map((url) => `the type ${url} is not bare`);
  },
  function rootfsAlone(recording) {
    return runs(recording).flatMap((run) => {
      const { containerId, rootfs } = run.request;
      const layerFolders = specOf(recording, run)?.windows?.layerFolders ?? [];
      return [
        ...(rootfs.length > 0 && layerFolders.length > 0 ? [`${containerId} has rootfs and layerFolders`] : []),
        ...(rootfs.length === 0 ? [`${containerId} has no rootfs`] : []),
      ];
    });
  },
  function pipesListen(recording) {
    return recording.calls
      .filter(
        ({ method, error }) => /^Tasks\.(?:Create|Exec)$/.test(method) && /^open .* cannot find/.test(error ?? ''),
      )
      .map(({ error }) => `a pipe was not there: ${error}`);
  },
  function outputDrained({ calls, lost }) {
    const killed = new Set(
      calls.flatMap(({ request }) => (isMessage(request, tasksProto.KillRequestSchema) ? [request.containerId] : [])),
    );
    return lost
      .filter(({ containerId }) => !killed.has(containerId))
      .map(({ containerId, bytes }) => `${bytes} bytes of the output of ${containerId} were not taken in time`);
  },
  function endOfInput(recording) {
    const closed = of(recording, tasksProto.CloseIORequestSchema).filter(({ request }) => request.stdin);
    return runs(recording).flatMap((run) => {
      const { containerId, stdin } = run.request;
      if (stdin === '') return [];
      const isClosed = closed.some(({ request }) => request.containerId === containerId && request.execId === '');
      const isLinux = containerOf(recording, run)?.runtime?.name === 'io.containerd.runc.v2';
      if (isLinux && !isClosed) return [`the input of ${containerId} never ends without CloseIO`];
      // The end of the pipe is the end of the input; CloseIO discards what was not read yet (reference §5.2).
      return !isLinux && isClosed ? [`CloseIO cuts off the input of ${containerId}`] : [];
    });
  },
  function removalIsLazy(recording) {
    return of(recording, snapshotsProto.RemoveSnapshotRequestSchema).flatMap(({ call, request }) => {
      const user = userOf(recording, request.key, call);
      return user === undefined ? [] : [`${request.key} is removed under ${user}, and its disk stays in use`];
    });
  },
  function orderOfTheEnd(recording) {
    const began = (run: { containerId: string; execId: string }, schema: DescMessage): number[] =>
      recording.calls.flatMap(({ request, beganAt }) => {
        const same = isMessage(request, schema) && isSame(request as never, run);
        return same ? [beganAt] : [];
      });
    const exits = of(recording, tasksProto.WaitRequestSchema).filter(({ call }) => call.error === undefined);
    const unheard = of(recording, tasksProto.StartRequestSchema)
      .filter(({ call, request }) => !began(request, tasksProto.WaitRequestSchema).some((at) => at < call.beganAt))
      .map(({ request }) => `${request.containerId} is started before anybody waits for its exit`);
    const tooEarly = of(recording, tasksProto.DeleteTaskRequestSchema).filter(({ call, request }) => {
      const run = { containerId: request.containerId, execId: '' };
      const isStarted = began(run, tasksProto.StartRequestSchema).some((at) => at < call.beganAt);
      const knowsExit = exits.some(
        (exit) => isSame(exit.request, run) && (exit.call.endedAt ?? Infinity) < call.beganAt,
      );
      return isStarted && !knowsExit;
    });
    const committed = of(recording, snapshotsProto.CommitSnapshotRequestSchema).flatMap(({ call, request }) => {
      const user = userOf(recording, request.key, call);
      return user === undefined ? [] : [`${request.key} is committed before ${user} is deleted`];
    });
    return [
      ...unheard,
      ...tooEarly.map(({ request }) => `${request.containerId} is deleted before its exit is known`),
      ...committed,
    ];
  },
  function formOfSpecs(recording) {
    const inSpecs = runs(recording).flatMap((run) => {
      const spec = specOf(recording, run);
      const { containerId } = run.request;
      if (spec === undefined) return [];
      const types = (spec.mounts ?? []).map(({ type = '' }) => type).filter((type) => type !== '');
      return [
        ...(spec.annotations ? [] : [`${containerId} has no annotations`]),
        ...types.map((type) => `${containerId} has a mount of the type ${type}`),
        ...emptyVariables(spec.process).map((name) => `${containerId} has the empty variable ${name}`),
      ];
    });
    const inExecs = of(recording, tasksProto.ExecProcessRequestSchema).flatMap(({ request }) =>
      emptyVariables(json<ProcessSpec>(request.spec)).map((name) => `${request.execId} has the empty variable ${name}`),
    );
    return [...inSpecs, ...inExecs];
  },
];

function of<D extends DescMessage>(recording: Recording, schema: D): Seen<D>[] {
  return recording.calls.flatMap((call) =>
    isMessage(call.request, schema) ? [{ call, request: call.request as MessageShape<D> }] : [],
  );
}

function runs(recording: Recording): Run[] {
  return of(recording, tasksProto.CreateTaskRequestSchema);
}

function containerOf(recording: Recording, { call, request }: Run) {
  return of(recording, containersProto.CreateContainerRequestSchema).find(
    (made) => made.call.namespace === call.namespace && made.request.container?.id === request.containerId,
  )?.request.container;
}

/** Of runs on Windows. */
function specOf(recording: Recording, run: Run): WindowsSpec | undefined {
  const container = containerOf(recording, run);
  return container?.runtime?.name === 'io.containerd.runhcs.v1' ? json<WindowsSpec>(container.spec) : undefined;
}

function json<T>(any: { value: Uint8Array } | undefined): T | undefined {
  return any && (JSON.parse(new TextDecoder().decode(any.value)) as T);
}

function hasMark(text: string): boolean {
  return text.toLowerCase().includes('extract');
}

/** By the directory that `Prepare` or `View` has told. */
function keysBySource(recording: Recording): Map<string, string> {
  const prepared = [
    ...of(recording, snapshotsProto.PrepareSnapshotRequestSchema),
    ...of(recording, snapshotsProto.ViewSnapshotRequestSchema),
  ];
  return new Map(
    prepared.map(({ call, request }) => {
      const { mounts = [] } = (call.answer ?? {}) as { mounts?: readonly { source?: string }[] };
      return [mounts[0]?.source ?? '', request.key];
    }),
  );
}

/** The container whose task is on a snapshot at the moment of a call. */
function userOf(recording: Recording, key: string, { beganAt, namespace }: RecordedCall): string | undefined {
  return runs(recording)
    .filter(({ call }) => call.namespace === namespace && call.beganAt < beganAt && call.error === undefined)
    .filter((run) => containerOf(recording, run)?.snapshotKey === key)
    .map(({ request }) => request.containerId)
    .find((id) => {
      const deleted = of(recording, tasksProto.DeleteTaskRequestSchema).filter(
        ({ call, request }) => request.containerId === id && call.error === undefined,
      );
      return !deleted.some(({ call }) => (call.endedAt ?? Infinity) < beganAt);
    });
}

interface ProcessName {
  readonly containerId: string;
  readonly execId: string;
}

function isSame(one: ProcessName, other: ProcessName): boolean {
  return one.containerId === other.containerId && one.execId === other.execId;
}

function emptyVariables(process: ProcessSpec | undefined): string[] {
  return (process?.env ?? []).flatMap((entry) => /^([^=]*)=$/.exec(entry)?.[1] ?? []);
}

/** The url of every Any in a message. */
function typeUrls(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  const own = 'typeUrl' in value && typeof value.typeUrl === 'string' ? [value.typeUrl] : [];
  return [...own, ...Object.values(value).flatMap(typeUrls)];
}
