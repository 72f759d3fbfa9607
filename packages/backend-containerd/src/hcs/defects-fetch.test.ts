import { recordedRuns } from '@loam/containerd-model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { windowsPlatform } from '../testing/model-backend.ts';
import { importWindowsImage, nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';
import { dockerSave, makeImage } from '../testing/test-images.ts';

// What OBuilder's fetcher on Windows does wrong (reference §11.2, vectors (10)), each with a test that would see it here.
let opened: ModelEngine;

beforeEach(async () => {
  opened = await openModelEngine();
});
afterEach(async () => {
  expect(await opened.close()).toEqual([]);
});

const platform = { os: 'windows', architecture: 'amd64' } as const;
const fromNano = `((from ${nano}))`;

describe('§11.2 #13: a tag that has moved', () => {
  it('is another base: known by its digest, with other step ids', async () => {
    const { fetcher } = opened.test.backend;
    const first = await opened.build(fromNano);
    const before = await fetcher.resolve(nano, platform);
    await importWindowsImage(opened.test, nano, {
      config: { env: [['NEW', 'yes']], user: undefined, workdir: undefined, shell: undefined },
    });
    const after = await fetcher.resolve(nano, platform);
    expect(after.digest).not.toBe(before.digest);
    const stepIds = [first, await opened.build(fromNano)].map(
      ({ events }) => events.flatMap((event) => (event.type === 'step-ended' ? [event.stepId] : []))[0],
    );
    expect(stepIds[1]).not.toBe(stepIds[0]);
    expect((await opened.build(`((from ${nano}) (run (shell "echo %NEW%")))`)).log).toBe('yes\r\n');
  });
});

describe('§11.2 #14: an image for another Windows', () => {
  it('is refused, with what it is for and what would fit, before anything is unpacked', async () => {
    const name = 'example.org/older:1';
    await importWindowsImage(opened.test, name, { osVersion: '10.0.17763.1' });
    const built = await opened.build(`((from ${name}))`);
    expect(built).toMatchObject({ kind: 'failed', error: { code: 'backend.platform-missing' } });
    expect((built.error as Error).message).toMatch(/build 20348.*ltsc2022.*10\.0\.17763\.1/s);
    expect(opened.test.model.faults.calls).not.toContain('Diff.Apply');
  });
});

describe('§11.2 #16: what an image says', () => {
  it('is what its steps have: environment, user, directory and shell', async () => {
    await importWindowsImage(opened.test, 'example.org/full:1', {
      config: {
        env: [
          ['Path', 'C:\\Windows\\System32'],
          ['GREETING', 'hello there'],
        ],
        user: 'builder',
        workdir: 'C:\\app',
        shell: ['cmd', '/V:ON', '/S', '/C'],
      },
    });
    const built = await opened.build('((from example.org/full:1) (run (shell "echo %GREETING% & cd & whoami")))');
    expect(built.log).toBe('hello there \r\nC:\\app\r\nuser manager\\builder\r\n');
    expect(recordedRuns(opened.test.model.recording).at(-1)?.spec.process).toMatchObject({
      commandLine: 'cmd /V:ON /S /C "echo %GREETING% & cd & whoami"',
      user: { username: 'builder' },
    });
  });

  it('and cannot be read is an error, never an empty environment', async () => {
    const image = await makeImage({ layers: [{}], os: 'windows', architecture: 'amd64' });
    const config = new TextEncoder().encode(
      Buffer.from(image.config)
        .toString()
        .replace(/"Env":\[[^\]]*\]/, '"Env":["NOVALUE"]'),
    );
    const archive = dockerSave({ ...image, config }, 'example.org/odd:1');
    const imported = opened.test.backend.fetcher.importArchive(archive, {});
    const built = imported.then(() => opened.build('((from example.org/odd:1) (run (shell ver)))'));
    await expect(
      built.then(
        ({ error }) => error,
        (error: unknown) => error,
      ),
    ).resolves.toMatchObject({
      code: expect.stringMatching(/^backend\.(?:image|archive)-invalid$/),
    });
  });
});

describe('vectors (10) base fetch, §11.2 #12: a fetch that fails', () => {
  it.each(['Diff.Apply', 'Snapshots.Prepare', 'Snapshots.Commit'])(
    'in %s leaves no snapshot, and the next one succeeds',
    async (method) => {
      const { model, client } = opened.test;
      model.faults.plant({ method, times: 1, error: { code: 2, text: 'hcsshim::ImportLayer failed: disk full' } });
      expect(await opened.build(fromNano)).toMatchObject({ kind: 'failed' });
      expect(await client.snapshots('windows').list()).toEqual([]);
      await model.collectGarbage();
      expect(model.snapshotDirectories()).toEqual([]);
      expect(await opened.build(fromNano)).toMatchObject({ kind: 'succeeded' });
    },
  );

  it('because its bytes are not what their digest says leaves nothing either', async () => {
    const image = await makeImage({
      layers: [{ a: 'a' }],
      os: 'windows',
      architecture: 'amd64',
      osVersion: windowsPlatform.osVersion ?? '',
    });
    const config = Buffer.from(image.config)
      .toString()
      .replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`);
    await opened.test.backend.fetcher
      .importArchive(dockerSave({ ...image, config: new TextEncoder().encode(config) }, 'example.org/broken:1'), {})
      .catch(() => undefined);
    expect(await opened.build('((from example.org/broken:1))')).toMatchObject({ kind: 'failed' });
    expect(await opened.test.client.snapshots('windows').list()).toEqual([]);
  });
});

describe('vectors (10) pull output: the progress of a fetch', () => {
  it('is told to the build, up to all its bytes', async () => {
    const { events } = await opened.build(fromNano);
    const told = events.flatMap((event) => (event.type === 'step-progress' && event.position === '0' ? [event] : []));
    expect(told.map(({ phase }) => phase)).toContain('unpacking');
    const last = told.findLast(({ totalBytes }) => totalBytes !== undefined);
    expect(last?.totalBytes).toBeGreaterThan(0);
    expect(last?.currentBytes).toBe(last?.totalBytes);
  });
});
