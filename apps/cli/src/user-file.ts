import { access, chmod, chown, constants, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { LoamError } from '@loam/base';
import { replaceFile } from '@loam/files';

/** The content of a file that the user named. */
export async function readInput(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw LoamError.of('cli.file-unreadable', { path, reason: reasonOf(cause) }, { cause });
  }
}

/**
 * Gives a file of the user's another content. Whatever happens meanwhile, either the old content or the new one is there;
 * mode and owner stay, and a symbolic link stays one. A file that may not be written is not replaced either.
 */
export async function rewriteFile(path: string, content: Uint8Array): Promise<void> {
  try {
    const target = await realpath(path);
    await access(target, constants.W_OK);
    // A pipe or a terminal that was read from would be taken away from whoever has it.
    if (!(await stat(target)).isFile()) throw new Error('it is no file on a disk');
    const draft = join(dirname(target), `.${basename(target)}.${process.pid}`);
    try {
      await writeDraft(draft, content, target);
      await replaceFile(draft, target);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  } catch (cause) {
    throw LoamError.of('cli.file-unwritable', { path, reason: reasonOf(cause) }, { cause });
  }
}

async function writeDraft(draft: string, content: Uint8Array, like: string): Promise<void> {
  const { mode, uid, gid } = await stat(like);
  await forReason('its folder may not be written, and the file is replaced whole', () =>
    writeFile(draft, content, { flag: 'wx', mode: 0o600, flush: true }),
  );
  const own = await stat(draft);
  if (own.uid !== uid || own.gid !== gid) {
    await forReason('it belongs to another user or group, which could not be kept', () => chown(draft, uid, gid));
  }
  await chmod(draft, mode & 0o7777);
}

/** Says more than `permission denied`, which would be read as that of the file itself. */
async function forReason(reason: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === 'EACCES' || code === 'EPERM' ? new Error(reason, { cause }) : cause;
  }
}

function reasonOf(cause: unknown): string {
  return reasons[(cause as NodeJS.ErrnoException).code ?? ''] ?? (cause as Error).message;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is not a folder',
};
