/** Labels on everything that is ours in containerd. Only what carries `agent` with our own id is ever touched by a clean-up. */
export const labels = {
  agent: 'loam.agent',
  owner: 'loam.owner',
  purpose: 'loam.purpose',
  imported: 'loam.imported',
  reference: 'loam.reference',
  platform: 'loam.platform',
  resolvedAt: 'loam.resolved-at',
  /** On the layers of an image that names one: what they are made for. */
  osVersion: 'loam.os-version',
  /** The top snapshot of an image. */
  chain: 'loam.chain',
} as const;

/** containerd's own, from its garbage collector (reference §2.1). */
export const gcRoot = 'containerd.io/gc.root';
export const gcRefContent = 'containerd.io/gc.ref.content';
export const gcRefSnapshot = 'containerd.io/gc.ref.snapshot';

/** Prefix under which the labels that a caller gives to `commit` are kept. */
const given = 'loam.label.';

/** containerd deletes labels with empty values, so these are written as JSON, and so is what could be mistaken for it. */
export function encodeGivenLabels(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      given + name,
      value === '' || value.startsWith('"') ? JSON.stringify(value) : value,
    ]),
  );
}

export function decodeGivenLabels(stored: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(stored).filter(([name]) => name.startsWith(given));
  return Object.fromEntries(
    own.map(([name, value]) => [
      name.slice(given.length),
      value.startsWith('"') ? (JSON.parse(value) as string) : value,
    ]),
  );
}

/** A filter for what this agent made. Values are quoted as containerd's filter language wants it. */
export function ownedBy(agentId: string): string {
  return `labels."${labels.agent}"==${JSON.stringify(agentId)}`;
}
