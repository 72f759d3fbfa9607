import { LoamError } from '@loam/base';
import type { BuildRequest, Engine } from '@loam/engine';
import { expect, test } from 'vitest';

import { silentLog } from '../log.ts';
import { loggedEngine } from './logged-engine.ts';

const request = { owner: 'att_a' } as BuildRequest;

async function warnings(error: LoamError): Promise<object[]> {
  const told: object[] = [];
  const failing = { build: () => Promise.resolve({ kind: 'failed', error, position: '2' }) } as unknown as Engine;
  const engine = loggedEngine(failing, { ...silentLog, warn: (facts) => told.push(facts) });
  expect(await engine.build(request, () => undefined, new AbortController().signal)).toMatchObject({ kind: 'failed' });
  return told;
}

test("the whole of an error that is the host's is in the log, as its remedy promises; the build's own failure is not", async () => {
  const cause = new Error('ttrpc: closed');
  const lost = LoamError.of('containerd.unavailable', {}, { cause });
  expect(await warnings(lost)).toEqual([{ owner: 'att_a', position: '2', err: lost }]);
  expect(await warnings(LoamError.of('containerd.task-failed', { reason: 'no such file' }))).toHaveLength(1);
  expect(await warnings(LoamError.of('engine.step-failed', { position: '2', code: 1 }))).toEqual([]);
});
