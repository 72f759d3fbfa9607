import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@loam/base';
import { expect, it } from 'vitest';

import { contextManifest, manifestContext, openLocalContext, type ContextQuery } from './index.ts';

it('a manifest answers its queries exactly as the directory did', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'loam-manifest-'));
  try {
    const project = join(scratch, 'project');
    await mkdir(join(project, 'src/deep/skip'), { recursive: true });
    for (const path of ['top', 'src/a', 'src/a-b', 'src/deep/c', 'src/deep/skip/d', 'unasked']) {
      await writeFile(join(project, path), path);
    }
    await symlink('a', join(project, 'src/link'));
    const local = openLocalContext(project, { indexFile: join(scratch, 'index'), clock: systemClock });
    const queries: ContextQuery[] = [
      { sources: ['src', 'top'], excludes: [] },
      { sources: ['./src/deep/'], excludes: ['skip'] },
      { sources: ['src'], excludes: ['deep', 'a'] },
    ];
    const manifest = await contextManifest(local, queries);
    expect(manifest.map((entry) => entry.path)).toEqual([
      'src',
      'src/a',
      'src/a-b',
      'src/deep',
      'src/deep/c',
      'src/deep/skip',
      'src/deep/skip/d',
      'src/link',
      'top',
    ]);
    const remote = manifestContext(manifest, () => {
      throw new Error('not read');
    });
    for (const query of queries) expect(await remote.query(query)).toEqual(await local.query(query));
    const whole = { sources: ['.'], excludes: [] };
    const all = manifestContext(await contextManifest(local, [whole]), () => {
      throw new Error('not read');
    });
    expect(await all.query(whole)).toEqual(await local.query(whole));
    await expect(remote.query({ sources: ['unasked'], excludes: [] })).rejects.toMatchObject({
      code: 'context.source-missing',
    });
    await expect(remote.query({ sources: ['../x'], excludes: [] })).rejects.toMatchObject({
      code: 'context.source-outside',
    });
  } finally {
    await rm(scratch, { recursive: true });
  }
});
