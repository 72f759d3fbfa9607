import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { LoamError } from '@loam/base';
import type { SecretInput } from '@loam/contracts';

/** Reads `id:FILE` (the file's content is the value) and `id=NAME` (a secret that the farm keeps). */
export async function readSecrets(texts: readonly string[], cwd: string): Promise<SecretInput[]> {
  return await Promise.all(texts.map((text) => readSecret(text, cwd)));
}

async function readSecret(text: string, cwd: string): Promise<SecretInput> {
  // The first of the two decides: names have neither, and a Windows path has a colon of its own.
  const match = /^([^:=]+)([:=])(.+)$/s.exec(text);
  const [, id, separator, rest] = match ?? [];
  if (id === undefined || rest === undefined)
    throw LoamError.of('cli.bad-secret', { text: text.split(/[:=]/)[0] ?? '' });
  if (separator === '=') return { id, name: rest };
  return { id, value: (await readInput(resolve(cwd, rest))).toString('base64') };
}

/** The content of a file that the user named. */
export async function readInput(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = reasons[(cause as NodeJS.ErrnoException).code ?? ''] ?? (cause as Error).message;
    throw LoamError.of('cli.file-unreadable', { path, reason }, { cause });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTDIR: 'a part of its path is not a folder',
};
