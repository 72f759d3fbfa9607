import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * A new folder below `parent` for this process alone, which removes it itself. Those of processes that were killed before they
 * could are removed now; `beforeRemoval` is called with each.
 */
export async function makeWorkFolder(parent, prefix, beforeRemoval = async () => {}) {
  mkdirSync(parent, { recursive: true });
  const left = readdirSync(parent).filter((name) => name.startsWith(prefix) && !isRunning(name.slice(prefix.length)));
  for (const name of left) {
    const folder = path.join(parent, name);
    await beforeRemoval(folder);
    rmSync(folder, { recursive: true, force: true });
  }
  return mkdtempSync(path.join(parent, `${prefix}${process.pid}-`));
}

/** Whether the process is there that such a name begins with. */
function isRunning(name) {
  try {
    process.kill(Number.parseInt(name, 10), 0);
    return true;
  } catch (error) {
    // Somebody else's.
    return error.code === 'EPERM';
  }
}
