import { Readable } from 'node:stream';

import type { TreeEntry } from '@loam/backend';
import { extract } from 'tar-stream';
import { expect, it } from 'vitest';

import { windowsLayerItems } from '../hcs/layer-items.ts';
import { tarHeaderOf, writeTar } from './tar-writer.ts';

const directory: TreeEntry = { kind: 'directory', path: 'src', mode: 0o755, uid: 0, gid: 0, mtimeMs: 0 };

async function* once(): AsyncIterable<TreeEntry> {
  yield directory;
}

it.each([
  ['Linux', () => writeTar([{ header: tarHeaderOf(directory) }])],
  ['Windows', () => writeTar(windowsLayerItems(once()))],
])(
  'vectors (3): a directory in an archive for %s is a directory, in its type and by its final slash',
  async (_, tar) => {
    const found: string[] = [];
    for await (const entry of Readable.from(tar()).pipe(extract())) {
      found.push(`${entry.header.type} ${entry.header.name}`);
      for await (const _chunk of entry);
    }
    expect(found.at(-1)).toMatch(/^directory (?:Files\/)?src\/$/);
    expect(found.filter((line) => !line.startsWith('directory '))).toEqual([]);
  },
);
