import type { CacheNode } from '@loam/contracts';

/** The op on one line, without the brackets that every op has. */
export function labelOf(node: CacheNode): string {
  const op = node.op.replace(/\s+/g, ' ').trim();
  const shell = /^\(run\b.*\(shell "?(.*?)"?\)\)$/.exec(op);
  if (shell !== null) return `run ${shell[1]}`;
  return op.startsWith('(') && op.endsWith(')') ? op.slice(1, -1) : op;
}

/** Indices of the nodes whose op, id or holder has the text; null for no text. */
export function matching(nodes: readonly CacheNode[], text: string): ReadonlySet<number> | null {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return null;
  const found = new Set<number>();
  nodes.forEach((node, index) => {
    const hit =
      node.op.toLowerCase().includes(wanted) ||
      node.id.startsWith(wanted) ||
      node.replicas.some((replica) => replica.agentName.toLowerCase().includes(wanted));
    if (hit) found.add(index);
  });
  return found;
}
