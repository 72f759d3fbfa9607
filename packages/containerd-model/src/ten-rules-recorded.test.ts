import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { containersProto, diffProto, snapshotsProto, tasksProto } from '@loam/containerd/proto';
import { localEndpoint } from '@loam/containerd/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Recording } from './recording.ts';
import { brokenRules } from './ten-rules.ts';
import { keep, makeBase, openWorld, runOn, specOf, type World } from './testing/world.ts';

// A recording in which everything is right, and for each rule one in which it is broken: each is caught, by its rule alone.
const { ApplyRequestSchema } = diffProto;
const { CreateContainerRequestSchema } = containersProto;
const { CommitSnapshotRequestSchema, PrepareSnapshotRequestSchema, RemoveSnapshotRequestSchema } = snapshotsProto;
const {
  CloseIORequestSchema,
  CreateTaskRequestSchema,
  DeleteTaskRequestSchema,
  ExecProcessRequestSchema,
  KillRequestSchema,
  StartRequestSchema,
  WaitRequestSchema,
} = tasksProto;

interface Planted {
  readonly namespace?: string;
  readonly lease?: string;
  readonly answer?: unknown;
  readonly error?: string;
}

function tell<D extends DescMessage>(
  recording: Recording,
  method: string,
  [schema, message]: [D, MessageInitShape<D>],
  { namespace = 'loam', lease, ...planted }: Planted = {},
): void {
  const call = recording.begin(method, namespace, lease);
  recording.end(Object.assign(call, { request: create(schema, message) }, planted));
}

const mount = (source: string) => [{ type: 'windows-layer', source, target: '', options: ['rw'] }];
const jsonAny = (document: unknown, typeUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Spec') => ({
  typeUrl,
  value: new TextEncoder().encode(JSON.stringify(document)),
});

interface Story {
  readonly layerKey?: string;
  readonly runKey?: string;
  readonly namespace?: string;
  readonly spec?: object;
  readonly specUrl?: string;
  readonly runtime?: string;
  readonly rootfs?: ReturnType<typeof mount>;
  readonly createError?: string;
  readonly stdin?: string;
  readonly closesInput?: boolean;
  readonly lost?: number;
  readonly killed?: boolean;
  readonly commitLabels?: Record<string, string>;
  readonly commitLease?: string;
  readonly prepareLabels?: Record<string, string>;
  readonly removesEarly?: boolean;
  readonly commitsEarly?: boolean;
  readonly waitsLate?: boolean;
  readonly deletesEarly?: boolean;
}

/** A layer is unpacked and committed; a step runs on it and is committed. */
function story(changes: Story = {}): Recording {
  const recording = new Recording();
  const {
    layerKey = 'loam-extract-1',
    runKey = 'loam-run-1',
    namespace = 'loam',
    runtime = 'io.containerd.runhcs.v1',
  } = changes;
  const say = <D extends DescMessage>(method: string, schema: D, message: MessageInitShape<D>, planted: Planted = {}) =>
    tell(recording, method, [schema, message], { namespace, ...planted });
  const commit = (): void =>
    say(
      'Snapshots.Commit',
      CommitSnapshotRequestSchema,
      { name: 'step', key: runKey, labels: changes.commitLabels ?? keep },
      changes.commitLease === undefined ? {} : { lease: changes.commitLease },
    );
  const run = { containerId: 'one', execId: '' };
  const wait = (): void => say('Tasks.Wait', WaitRequestSchema, run);
  const remove = (): void => say('Tasks.Delete', DeleteTaskRequestSchema, { containerId: 'one' });

  say(
    'Snapshots.Prepare',
    PrepareSnapshotRequestSchema,
    { key: layerKey, labels: keep },
    { answer: { mounts: mount('1') } },
  );
  say('Diff.Apply', ApplyRequestSchema, { mounts: mount('1') });
  say('Snapshots.Commit', CommitSnapshotRequestSchema, { name: 'base', key: layerKey }, { lease: 'l' });
  say(
    'Snapshots.Prepare',
    PrepareSnapshotRequestSchema,
    { key: runKey, parent: 'base', labels: changes.prepareLabels ?? keep },
    { answer: { mounts: mount('2') } },
  );
  const spec = jsonAny(changes.spec ?? specOf('echo hi'), changes.specUrl);
  say('Containers.Create', CreateContainerRequestSchema, {
    container: { id: 'one', runtime: { name: runtime }, snapshotKey: runKey, spec },
  });
  say(
    'Tasks.Create',
    CreateTaskRequestSchema,
    { containerId: 'one', rootfs: changes.rootfs ?? mount('2'), stdin: changes.stdin ?? '' },
    changes.createError === undefined ? {} : { error: changes.createError },
  );
  if (changes.createError !== undefined) return recording;
  if (!changes.waitsLate && !changes.deletesEarly) wait();
  const starting = recording.begin('Tasks.Start', namespace);
  recording.end(Object.assign(starting, { request: create(StartRequestSchema, run) }));
  if (changes.waitsLate) wait();
  if (changes.killed) say('Tasks.Kill', KillRequestSchema, { containerId: 'one', signal: 9 });
  if (changes.closesInput) say('Tasks.CloseIO', CloseIORequestSchema, { containerId: 'one', stdin: true });
  if (changes.lost !== undefined) recording.lost.push({ namespace, containerId: 'one', bytes: changes.lost });
  if (changes.removesEarly) say('Snapshots.Remove', RemoveSnapshotRequestSchema, { key: runKey });
  if (changes.commitsEarly) commit();
  remove();
  if (!changes.commitsEarly && !changes.removesEarly) commit();
  return recording;
}

describe('the checkers', () => {
  it('have nothing against a story in which everything is right', () => {
    expect(brokenRules(story())).toEqual([]);
    expect(brokenRules(story({ stdin: 'pipe' }))).toEqual([]);
  });

  const { annotations: _, ...unannotated } = specOf('echo hi');
  const planted: [number, string, Story][] = [
    [1, 'a namespace with the mark', { namespace: 'my-Extractor' }],
    [1, 'a step on a key with the mark', { runKey: 'step-extract-sources' }],
    [1, 'a layer on a key without it', { layerKey: 'loam-layer-1' }],
    [2, 'a commit that nothing protects', { commitLabels: { mine: 'yes' } }],
    [2, 'a working snapshot that nothing protects', { prepareLabels: {} }],
    [
      3,
      'a url with a prefix',
      { specUrl: 'type.googleapis.com/types.containerd.io/opencontainers/runtime-spec/1/Spec' },
    ],
    [4, 'rootfs and layerFolders', { spec: specOf('echo hi', { windows: { layerFolders: ['a', 'b'] } }) }],
    [
      4,
      'layerFolders instead of rootfs',
      { rootfs: [], spec: specOf('echo hi', { windows: { layerFolders: ['a', 'b'] } }) },
    ],
    [
      5,
      'a pipe that does not listen',
      { createError: String.raw`open \\.\pipe\x-stdout: The system cannot find the file specified.` },
    ],
    [6, 'output that nobody took', { lost: 4096 }],
    [7, 'on Linux, input that nobody ends', { stdin: 'fifo', runtime: 'io.containerd.runc.v2' }],
    [7, 'on Windows, input that is cut off', { stdin: 'pipe', closesInput: true }],
    [8, 'a snapshot removed under its task', { removesEarly: true }],
    [9, 'a start before the wait', { waitsLate: true }],
    [9, 'a deletion before the exit', { deletesEarly: true }],
    [9, 'a commit before the deletion', { commitsEarly: true }],
    [10, 'no annotations', { spec: unannotated }],
    [10, 'a bind mount', { spec: specOf('x', { mounts: [{ source: '/', destination: 'C:\\c', type: 'bind' }] }) }],
    [10, 'a variable with an empty value', { spec: specOf('x', { process: { env: ['A=1', 'B='] } }) }],
  ];
  it.each(planted)('§0 rule %i: see %s', (rule, _what, changes) => {
    const found = brokenRules(story(changes));
    expect(new Set(found.map((line) => line.split(':')[0])), found.join('\n')).toEqual(new Set([`rule ${rule}`]));
  });

  it('§0 rule 10: see an empty variable of an exec as well', () => {
    const recording = story();
    const process = jsonAny({ env: ['EMPTY='] }, 'types.containerd.io/opencontainers/runtime-spec/1/Process');
    tell(recording, 'Tasks.Exec', [ExecProcessRequestSchema, { containerId: 'one', execId: 'e', spec: process }]);
    expect(brokenRules(recording)).toEqual(['rule 10: e has the empty variable EMPTY']);
  });

  it('take the lease of a commit for its protection, CloseIO on Linux for the end, and a kill for a reason to lose output', () => {
    expect(brokenRules(story({ commitLabels: {}, commitLease: 'l' }))).toEqual([]);
    expect(brokenRules(story({ stdin: 'fifo', closesInput: true, runtime: 'io.containerd.runc.v2' }))).toEqual([]);
    expect(brokenRules(story({ lost: 1, killed: true }))).toEqual([]);
  });
});

describe('the recording of the model', () => {
  let world: World;
  beforeEach(async () => {
    world = await openWorld();
    await makeBase(world);
  });
  afterEach(() => world.close());

  it('holds what a good client does, and the checkers have nothing against it', async () => {
    await runOn(world, 'step', 'echo made> C:\\made.txt');
    await world.client.snapshots('windows').commit({ name: 'kept', key: 'step', labels: keep });
    const { recording } = world.model;
    expect(recording.calls.map(({ method }) => method)).toEqual(world.model.faults.calls);
    for (const { beganAt, endedAt, method } of recording.calls) expect(endedAt, method).toBeGreaterThan(beganAt);
    expect(brokenRules(recording)).toEqual([]);
  });

  it('convicts a client that runs on a key with the mark, commits without protection, and gives an empty variable', async () => {
    await runOn(world, 'step-extract', 'echo x', { process: { env: ['A='] } });
    await world.client.snapshots('windows').commit({ name: 'loose', key: 'step-extract' });
    expect(brokenRules(world.model.recording)).toEqual([
      'rule 1: step-extract is run on',
      'rule 2: loose is committed with neither root label nor lease',
      expect.stringMatching(/^rule 10: .* has the empty variable A$/),
    ]);
  });

  it('convicts a client whose pipe is not there', async () => {
    const snapshots = world.client.snapshots('windows');
    const rootfs = await snapshots.prepare({ key: 'k', parent: 'base', labels: keep });
    await world.client.containers.create({
      id: 'early',
      runtime: { name: 'io.containerd.runhcs.v1' },
      spec: specOf('x'),
    });
    const nowhere = localEndpoint(`${world.directory}/none`);
    const paths = { stdout: nowhere, stderr: nowhere };
    await world.client.tasks.create({ containerId: 'early', rootfs, ...paths }).catch(() => undefined);
    expect(brokenRules(world.model.recording)).toEqual([expect.stringMatching(/^rule 5: /)]);
  });
});
