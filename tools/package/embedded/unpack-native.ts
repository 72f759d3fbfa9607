import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes a native part beside the executable, under a name with its digest, unless the same bytes are there already; gives
 * the path to load. Beside the executable, because whoever can write there can replace the executable itself: no other
 * directory of the host is known to be as trustworthy. Several processes may do this at once.
 */
export function unpackNative(bytes: Uint8Array, directory: string): string {
  const digest = sha256(bytes);
  const file = join(directory, `loam-agent-native-${digest.slice(0, 32)}.node`);
  if (holds(file, digest)) return file;
  const temporary = `${file}.${randomUUID()}`;
  try {
    writeFileSync(temporary, bytes, { mode: 0o555, flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    // Another process was faster and has loaded it, which Windows protects from being replaced.
    if (!holds(file, digest)) throw error;
  }
  if (!holds(file, digest)) throw new Error(`${file} is not what was written to it`);
  return file;
}

function holds(file: string, digest: string): boolean {
  try {
    return sha256(readFileSync(file)) === digest;
  } catch {
    return false;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
