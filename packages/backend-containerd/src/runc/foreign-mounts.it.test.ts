import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

import { openTestBackend, type TestBackend } from '../testing/test-backend.ts';
import { mountPoints } from './host-mount.ts';

const run = promisify(execFile);
let server: ContainerdServer;
let test: TestBackend;
/** With a file in it that nobody may lose. */
let source: string;

beforeAll(async () => {
  server = await startContainerd();
});
afterAll(() => server.stop());
beforeEach(async () => {
  test = await openTestBackend(server);
  source = await mkdtemp(join(tmpdir(), 'loam-mounted-'));
  await writeFile(join(source, 'precious'), 'still here');
});
afterEach(async () => {
  await test.close();
  expect(await readFile(join(source, 'precious'), 'utf8')).toBe('still here');
  await rm(source, { recursive: true });
});

async function mountAt(target: string): Promise<string> {
  await mkdir(target, { recursive: true });
  await run('mount', ['--bind', source, target]);
  return target;
}

it('vectors (6): a start unmounts what is ours, and nothing whose path only begins like ours', async () => {
  const neighbour = `${test.stateDirectory}-of-another`;
  const foreign = [
    await mountAt(join(neighbour, 'trees', 'one')),
    await mountAt(join(test.stateDirectory, 'trees-of-another')),
  ];
  const ours = await mountAt(join(test.stateDirectory, 'trees', 'one'));
  try {
    expect(await test.backend.store.reconcile()).toMatchObject({ mounts: 1 });
    const mounted = await mountPoints();
    expect(mounted).toEqual(expect.arrayContaining(foreign));
    expect(mounted).not.toContain(ours);
  } finally {
    for (const point of foreign) await run('umount', ['--lazy', point]);
    await rm(neighbour, { recursive: true });
  }
});

it('vectors (5): a tree that is still mounted is never deleted through', async () => {
  const twice = join(test.stateDirectory, 'trees', 'twice');
  // The upper mount goes by one call; below it lies another.
  await mountAt(twice);
  await mountAt(twice);
  await test.backend.store.reconcile().catch(() => undefined);
  expect(await readdir(source)).toEqual(['precious']);
  await test.backend.store.reconcile();
  expect((await mountPoints()).filter((point) => point.startsWith(`${test.stateDirectory}/`))).toEqual([]);
});
