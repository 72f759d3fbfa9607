import type { Purpose } from '@loam/backend';

/** The substring by which the `windows` snapshotter decides what a key is for (reference §3.2). */
const layerMark = 'extract';

/** What the snapshotter looks for, and a little more: its own test is case-sensitive. */
export function isLayerKey(text: string): boolean {
  return text.toLowerCase().includes(layerMark);
}

/**
 * The key of a working snapshot. One that a layer is applied to must contain `extract`, one that a process runs on must not:
 * that would get an empty directory, the step would run and exit 0, and everything it wrote would be lost in silence
 * (reference §0.1, §3.2).
 */
export function workingKey(purpose: Purpose, unique: string): string {
  if (isLayerKey(unique)) throw new Error(`"${unique}" would make the snapshotter take the key for a layer's`);
  return purpose === 'layer' ? `loam-${layerMark}-${unique}` : `loam-run-${unique}`;
}

/** A namespace is part of every key that the snapshotter sees (reference §2.5), so it must not carry the mark either. */
export function checkNamespace(namespace: string): void {
  if (isLayerKey(namespace)) throw new Error(`the namespace "${namespace}" must not contain "${layerMark}"`);
}

const gibibyte = 2 ** 30;

/**
 * Labels of `Prepare` that give a scratch disk its size; by default it has 20 GB, sparse. containerd 1.7 and newer take
 * bytes, 1.6 whole gigabytes under another name (reference §3.2). The snapshotter only expands: whether less than the
 * default has an effect is unverified.
 */
export function scratchLabels(containerdVersion: string, sizeBytes: number | undefined): Record<string, string> {
  if (sizeBytes === undefined) return {};
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(containerdVersion) ?? []).slice(1).map(Number);
  return major > 1 || minor >= 7
    ? { 'containerd.io/snapshot/windows/rootfs.sizebytes': String(sizeBytes) }
    : {
        'containerd.io/snapshot/io.microsoft.container.storage.rootfs.size-gb': String(
          Math.max(1, Math.ceil(sizeBytes / gibibyte)),
        ),
      };
}

/**
 * Does one piece of work after another. A commit converts a whole layer inside the daemon's global write transaction, and
 * every other change to its metadata waits meanwhile, so a host commits one snapshot at a time (reference §3.2).
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
