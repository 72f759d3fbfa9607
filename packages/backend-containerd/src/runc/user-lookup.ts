import { lstat, readFile } from 'node:fs/promises';

import type { Mount } from '@loam/containerd';

import { valueOf } from './host-mount.ts';
import type { UserFiles } from './passwd.ts';

const files = ['passwd', 'group'] as const;

/**
 * The user files of an overlay snapshot without mounting it, or undefined when that takes a mount. The topmost layer that
 * has an `etc` at all decides: nothing in a layer above it can hide or replace anything in it. When it is a plain
 * directory that has both files, they are what the merged tree shows; anything else is left to the kernel.
 */
export async function readUserFiles(mounts: readonly Mount[]): Promise<UserFiles | undefined> {
  for (const layer of layersOf(mounts)) {
    const etc = await lstatOrUndefined(`${layer}/etc`);
    if (etc === undefined) continue;
    if (!etc.isDirectory()) return undefined;
    const texts = await Promise.all(
      files.map(async (name) => {
        const path = `${layer}/etc/${name}`;
        const stats = await lstatOrUndefined(path);
        return stats?.isFile() === true ? readFile(path, 'utf8') : undefined;
      }),
    );
    const [passwd, group] = texts;
    return passwd === undefined || group === undefined ? undefined : { passwd, group };
  }
  return { passwd: '', group: '' };
}

/** The directories of a snapshot's layers, topmost first. */
function layersOf(mounts: readonly Mount[]): string[] {
  const [mount] = mounts;
  if (mount?.type === 'bind') return [mount.source];
  if (mount?.type !== 'overlay') return [];
  const upper = valueOf(mount.options, 'upperdir');
  const lower = valueOf(mount.options, 'lowerdir')?.split(':') ?? [];
  return upper === undefined ? lower : [upper, ...lower];
}

async function lstatOrUndefined(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}
