import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import type { SnapshotName } from '@loam/backend';
import { systemClock } from '@loam/base';
import { connect } from '@loam/containerd';
import { expect, it } from 'vitest';

import { file, from, useHcsWorld } from '../testing/hcs-world.ts';
import { createHcsDriver } from './hcs-driver.ts';

const world = useHcsWorld();

it('rule 1: a namespace with "extract" in it is refused', async () => {
  const other = connect({ address: world.model.address, namespace: 'my-extracts' });
  const options = {
    client: other,
    agentId: world.agentId,
    stateDirectory: world.directory,
    clock: systemClock,
    randomUUID,
  };
  await expect(createHcsDriver(options)).rejects.toThrow('must not contain "extract"');
  other.close();
});

it('§11.2 #26: free space is that of the volume of the snapshots', async () => {
  expect(await world.driver.snapshotVolume()).toContain(join(world.directory, 'root'));
  expect((await world.backend.store.disk()).totalBytes).toBeGreaterThan(0);
});

it('the probe for that volume may have been collected before it is removed', async () => {
  world.model.faults.plant({
    method: 'Snapshots.Remove',
    times: 1,
    error: { code: 5, text: 'snapshot does not exist' },
  });
  expect(await world.driver.snapshotVolume()).toContain(join(world.directory, 'root'));
});

it('commits take turns', async () => {
  const base = await world.baseImage();
  let atOnce = 0;
  let most = 0;
  world.model.faults.plant({
    method: 'Snapshots.Commit',
    before: async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
    },
    after: () => void atOnce--,
  });
  const layers = ['a', 'b', 'c'].map((name) =>
    world.step(base, 'layer', async (working) => {
      await world.backend.store.applyLayer(working, from([file(name, name)]));
      await world.backend.store.commit(working, `layer-${name}` as SnapshotName, {});
    }),
  );
  await Promise.all(layers);
  expect(most).toBe(1);
});
