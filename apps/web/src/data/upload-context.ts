import type { ContextEntryBody } from '@loam/contracts';

import { api } from './api.ts';

export interface UploadProgress {
  readonly phase: 'Reading' | 'Sending';
  readonly files: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

interface Uploaded {
  readonly digest: string;
  readonly folder: { readonly name: string; readonly files: number; readonly bytes: number };
}

/**
 * Sends a folder as a context: hashes each file, posts the manifest, and sends the blobs that the farm lacks. A browser
 * does not tell modes, links or empty folders, so files get 644. `.git` is left out: it changes with every commit.
 */
export async function uploadContext(
  picked: readonly File[],
  report: (progress: UploadProgress) => void,
): Promise<Uploaded> {
  const files = picked.filter((file) => !file.webkitRelativePath.split('/').includes('.git'));
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const byDigest = new Map<string, File>();
  const entries: ContextEntryBody[] = [];
  let read = 0;
  for (const file of files) {
    const digest = await digestOf(file);
    byDigest.set(digest, file);
    entries.push({ kind: 'file', path: pathOf(file), mode: 0o644, sizeBytes: file.size, digest });
    read += file.size;
    report({ phase: 'Reading', files: files.length, doneBytes: read, totalBytes: bytes });
  }
  const paths = entries.map((entry) => entry.path);
  for (const path of foldersOf(paths)) entries.push({ kind: 'directory', path, mode: 0o755 });
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));

  const receipt = await api.putContext({ entries });
  const missing = receipt.missing.flatMap((digest) => {
    const file = byDigest.get(digest);
    return file === undefined ? [] : [{ digest, file }];
  });
  const total = missing.reduce((sum, { file }) => sum + file.size, 0);
  let sent = 0;
  for (const { digest, file } of missing) {
    await api.putBlob(digest, new Uint8Array(await file.arrayBuffer()), file.size);
    sent += file.size;
    report({ phase: 'Sending', files: missing.length, doneBytes: sent, totalBytes: total });
  }
  const name = picked[0]?.webkitRelativePath.split('/')[0] ?? '';
  return { digest: receipt.digest, folder: { name, files: files.length, bytes } };
}

/** `project/src/main.c` as picked is `src/main.c` in the context. */
function pathOf(file: File): string {
  return file.webkitRelativePath.split('/').slice(1).join('/') || file.name;
}

/** Every folder that the paths imply, once. */
export function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) folders.add(path.slice(0, at));
  }
  return [...folders].sort();
}

async function digestOf(file: File): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return `sha256:${[...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
