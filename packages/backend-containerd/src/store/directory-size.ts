import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What a directory takes on disk, in bytes. What disappears meanwhile does not count; a file with several names counts once. */
export async function directorySize(directory: string, seen: Set<string> = new Set()): Promise<number> {
  const stats = await lstat(directory).catch(() => undefined);
  if (stats === undefined) return 0;
  const identity = `${stats.dev}:${stats.ino}`;
  if (stats.nlink > 1 && !stats.isDirectory() && seen.has(identity)) return 0;
  seen.add(identity);
  // Windows does not tell blocks.
  let size = stats.blocks > 0 ? stats.blocks * 512 : stats.isFile() ? stats.size : 0;
  if (!stats.isDirectory()) return size;
  for (const name of await readdir(directory).catch(() => [])) size += await directorySize(join(directory, name), seen);
  return size;
}
