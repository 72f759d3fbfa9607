import type { SnapshotName } from '@loam/backend';
import type { StepId } from '@loam/base';
import type { CachedStep, Engine } from '@loam/engine';
import { expect, test } from 'vitest';

import { silentLog } from '../log.ts';
import { engineAnswers } from './answers.ts';

const id = (digit: string): StepId => digit.repeat(64) as StepId;
const held: CachedStep[] = [
  { snapshot: 'sha256:low' as SnapshotName, parent: null, kind: 'from', op: '', createdAtMs: 1, sizeBytes: 5 },
  {
    snapshot: 'sha256:top' as SnapshotName,
    stepId: id('a'),
    parent: 'sha256:low' as SnapshotName,
    kind: 'from',
    op: 'busybox',
    createdAtMs: 1,
    sizeBytes: 6,
  },
  {
    snapshot: id('b') as string as SnapshotName,
    stepId: id('b'),
    parent: 'sha256:top' as SnapshotName,
    kind: 'run',
    op: '(run (shell x))',
    createdAtMs: 1,
    sizeBytes: 7,
  },
];

test('describes the steps that are asked for, with the steps that they stand on; what is gone is left out', async () => {
  const unused = (): never => {
    throw new Error('not asked');
  };
  const answers = engineAnswers({
    engine: { listCache: () => Promise.resolve(held) } as unknown as Engine,
    parse: unused,
    context: unused,
    facts: unused,
    platform: { os: 'linux', architecture: 'amd64' },
    log: silentLog,
  });
  const steps = [id('a'), id('b'), id('c')];
  expect(await answers.describe({ type: 'describe', requestId: 'r', steps })).toEqual({
    type: 'described',
    requestId: 'r',
    steps: [
      { stepId: id('a'), parentId: null, kind: 'from', op: '(from busybox)', platform: 'linux/amd64', sizeBytes: 6 },
      { stepId: id('b'), parentId: id('a'), kind: 'run', op: '(run (shell x))', platform: 'linux/amd64', sizeBytes: 7 },
    ],
  });
});
