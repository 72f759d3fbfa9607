/** What the layout needs of a node. A parent that is not among the nodes makes it a root. */
export interface LayoutInput {
  readonly id: string;
  readonly parentId: string | null;
  /** Its own share of the width: bytes, milliseconds, or 1. */
  readonly weight: number;
}

/**
 * An icicle: each node spans `[start[i], end[i])` of [0, 1) at row `depth[i]`; its children lie within its span, below it.
 * Arrays are indexed as the input was.
 */
export interface Layout {
  readonly count: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly depth: Int32Array;
  /** Own weight and that of everything below. */
  readonly total: Float64Array;
  /** Nodes in the subtree, itself included. */
  readonly size: Int32Array;
  /** Index of the parent, -1 for a root. */
  readonly parent: Int32Array;
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
  /** Indices by depth, each row from left to right. */
  readonly rows: readonly Int32Array[];
  readonly indexOf: ReadonlyMap<string, number>;
}

/**
 * Lays a forest out in time linear in its nodes, without recursion, keeping siblings in the order given, so that a graph
 * that grew looks like itself. Nodes on a cycle of parents (which a sound store never has) are left out of the rows.
 */
export function layoutForest(nodes: readonly LayoutInput[]): Layout {
  const count = nodes.length;
  const indexOf = new Map(nodes.map((node, index) => [node.id, index]));
  const parent = new Int32Array(count).fill(-1);
  const firstChild = new Int32Array(count).fill(-1);
  const nextSibling = new Int32Array(count).fill(-1);
  for (let index = count - 1; index >= 0; index--) {
    const above = nodes[index]!.parentId === null ? undefined : indexOf.get(nodes[index]!.parentId!);
    if (above === undefined || above === index) continue;
    parent[index] = above;
    nextSibling[index] = firstChild[above]!;
    firstChild[above] = index;
  }

  const order = breadthFirst(parent, firstChild, nextSibling);
  const depth = new Int32Array(count);
  const widths: number[] = [];
  for (const index of order) {
    const row = parent[index] === -1 ? 0 : depth[parent[index]!]! + 1;
    depth[index] = row;
    widths[row] = (widths[row] ?? 0) + 1;
  }

  const total = Float64Array.from(nodes, (node) => (node.weight > 0 ? node.weight : 0));
  const size = new Int32Array(count).fill(1);
  for (let at = order.length - 1; at >= 0; at--) {
    const index = order[at]!;
    const above = parent[index]!;
    if (above === -1) continue;
    total[above] = total[above]! + total[index]!;
    size[above] = size[above]! + size[index]!;
  }

  const { start, end } = spans(order, parent, firstChild, nextSibling, total);
  const rows = widths.map((width) => new Int32Array(width));
  const filled = new Int32Array(widths.length);
  for (const index of order) {
    const row = depth[index]!;
    rows[row]![filled[row]!] = index;
    filled[row] = filled[row]! + 1;
  }
  return { count, start, end, depth, total, size, parent, firstChild, nextSibling, rows, indexOf };
}

/** Every node after its parent; within a row, left to right. */
function breadthFirst(parent: Int32Array, firstChild: Int32Array, nextSibling: Int32Array): Int32Array {
  const order = new Int32Array(parent.length);
  let filled = 0;
  for (let index = 0; index < parent.length; index++) if (parent[index] === -1) order[filled++] = index;
  for (let at = 0; at < filled; at++) {
    for (let child = firstChild[order[at]!]!; child !== -1; child = nextSibling[child]!) order[filled++] = child;
  }
  return order.subarray(0, filled);
}

function spans(
  order: Int32Array,
  parent: Int32Array,
  firstChild: Int32Array,
  nextSibling: Int32Array,
  total: Float64Array,
): { start: Float64Array; end: Float64Array } {
  const start = new Float64Array(parent.length);
  const end = new Float64Array(parent.length);
  const roots = order.filter((index) => parent[index] === -1);
  const all = roots.reduce((sum, index) => sum + total[index]!, 0) || 1;
  let from = 0;
  for (const root of roots) {
    start[root] = from / all;
    from += total[root]!;
    end[root] = from / all;
  }
  for (const index of order) {
    let edge = start[index]!;
    for (let child = firstChild[index]!; child !== -1; child = nextSibling[child]!) {
      start[child] = edge;
      edge = Math.min(end[index]!, edge + total[child]! / all);
      end[child] = edge;
    }
  }
  return { start, end };
}

/** The node at `row` whose span holds `x` (0–1), or -1. Binary search: rows do not overlap and run left to right. */
export function nodeAt(layout: Layout, row: number, x: number): number {
  const nodes = layout.rows[row];
  if (nodes === undefined) return -1;
  const at = firstEndingAfter(layout, nodes, x);
  const index = nodes[at];
  return index !== undefined && layout.start[index]! <= x ? index : -1;
}

/** Position in `nodes` of the first whose end lies past `x`. */
export function firstEndingAfter(layout: Layout, nodes: Int32Array, x: number): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (layout.end[nodes[middle]!]! <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `index` and everything below it. */
export function subtree(layout: Layout, index: number): number[] {
  const found = [index];
  for (let at = 0; at < found.length; at++) {
    for (let child = layout.firstChild[found[at]!]!; child !== -1; child = layout.nextSibling[child]!)
      found.push(child);
  }
  return found;
}
