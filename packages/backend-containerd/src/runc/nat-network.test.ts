import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, expect, it, vi } from 'vitest';

import { natNetwork } from './nat-network.ts';

afterEach(() => vi.unstubAllEnvs());

it('a host with the plugins but without iproute2 refuses, and says what is missing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'loam-nat-'));
  try {
    writeFileSync(join(directory, 'bridge'), '');
    vi.stubEnv('PATH', directory);
    const network = natNetwork(join(directory, 'state'), 'agt_x', [directory]);
    await expect(network.connect('run')).rejects.toMatchObject({
      code: 'backend.network-unsupported',
      remedy: expect.stringContaining('iproute2') as string,
    });
    expect(await network.list()).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
