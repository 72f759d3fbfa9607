import type { CacheNode } from '@loam/contracts';

import { firstEndingAfter, type Layout } from './layout.ts';
import type { Viewport } from './viewport.ts';

export const rowPixels = 28;
const gap = 1;

/** Colours that CSS holds, resolved for a canvas. */
export interface Palette {
  readonly from: string;
  readonly run: string;
  readonly copy: string;
  readonly text: string;
  readonly ink: string;
  readonly match: string;
  readonly font: string;
}

export interface Scene {
  readonly nodes: readonly CacheNode[];
  readonly layout: Layout;
  readonly labels: readonly string[];
  readonly view: Viewport;
  readonly width: number;
  readonly height: number;
  readonly selected: number;
  readonly hovered: number;
  /** Nodes that the search found; null without a search. */
  readonly matches: ReadonlySet<number> | null;
  readonly palette: Palette;
}

/** Draws the part of the icicle that is in view. Work is bounded by the pixels: what is too narrow is drawn once a pixel. */
export function paint(canvas: CanvasRenderingContext2D, scene: Scene): void {
  const { layout, view, width, height, palette } = scene;
  canvas.clearRect(0, 0, width, height);
  canvas.font = palette.font;
  canvas.textBaseline = 'middle';
  const scale = width / (view.x1 - view.x0);
  const firstRow = Math.max(0, Math.floor(view.top / rowPixels));
  const lastRow = Math.min(layout.rows.length - 1, Math.floor((view.top + height) / rowPixels));
  for (let row = firstRow; row <= lastRow; row++) {
    const nodes = layout.rows[row]!;
    const y = row * rowPixels - view.top;
    let painted = -Infinity;
    for (let at = firstEndingAfter(layout, nodes, view.x0); at < nodes.length; at++) {
      const index = nodes[at]!;
      const start = layout.start[index]!;
      if (start >= view.x1) break;
      const left = (start - view.x0) * scale;
      const right = (layout.end[index]! - view.x0) * scale;
      const special = index === scene.selected || index === scene.hovered || scene.matches?.has(index) === true;
      if (right - painted < 0.75 && !special) continue;
      painted = Math.max(painted, right);
      paintNode(canvas, scene, index, left, right, y);
    }
  }
  if (scene.selected !== -1) paintCopies(canvas, scene, scale);
}

function paintNode(
  canvas: CanvasRenderingContext2D,
  scene: Scene,
  index: number,
  left: number,
  right: number,
  y: number,
): void {
  const { palette, matches } = scene;
  const node = scene.nodes[index]!;
  const x = Math.max(-2, left);
  const width = Math.max(1, Math.min(scene.width + 2, right) - x - (right - left > 3 ? gap : 0));
  const dim = matches !== null && !matches.has(index);
  canvas.globalAlpha = dim ? 0.28 : node.replicas.length === 0 ? 0.45 : 1;
  canvas.fillStyle = palette[node.kind];
  canvas.fillRect(x, y, width, rowPixels - gap);
  if (matches?.has(index)) {
    canvas.fillStyle = palette.match;
    canvas.fillRect(x, y + rowPixels - gap - 3, width, 3);
  }
  if (width > 44) {
    canvas.globalAlpha = dim ? 0.5 : 1;
    canvas.fillStyle = palette.text;
    canvas.fillText(clip(canvas, scene.labels[index]!, width - 12), Math.max(x, 0) + 6, y + rowPixels / 2);
  }
  canvas.globalAlpha = 1;
  if (index !== scene.selected && index !== scene.hovered) return;
  canvas.strokeStyle = palette.ink;
  canvas.lineWidth = index === scene.selected ? 2 : 1;
  canvas.strokeRect(x + 1, y + 1, Math.max(2, width - 2), rowPixels - gap - 2);
}

/** Arcs from the selected snapshot to those that it copied from, and to those that copied from it. */
function paintCopies(canvas: CanvasRenderingContext2D, scene: Scene, scale: number): void {
  const { layout, view, nodes, selected } = scene;
  const centre = (index: number): [number, number] => [
    ((layout.start[index]! + layout.end[index]!) / 2 - view.x0) * scale,
    layout.depth[index]! * rowPixels - view.top + rowPixels / 2,
  ];
  const id = nodes[selected]!.id;
  const others = new Set<number>();
  for (const source of nodes[selected]!.copiesFrom)
    if (layout.indexOf.has(source)) others.add(layout.indexOf.get(source)!);
  nodes.forEach((node, index) => node.copiesFrom.includes(id) && others.add(index));
  canvas.strokeStyle = scene.palette.ink;
  canvas.lineWidth = 1.5;
  canvas.setLineDash([4, 3]);
  const [x, y] = centre(selected);
  for (const other of others) {
    const [toX, toY] = centre(other);
    canvas.beginPath();
    canvas.moveTo(x, y);
    canvas.quadraticCurveTo((x + toX) / 2, Math.max(y, toY) + 44, toX, toY);
    canvas.stroke();
  }
  canvas.setLineDash([]);
}

/** As much of a label as fits; letters of the code font are equally wide, so no search is needed. */
function clip(canvas: CanvasRenderingContext2D, text: string, width: number): string {
  const letters = Math.floor(width / canvas.measureText('m').width);
  return text.length <= letters ? text : `${text.slice(0, Math.max(1, letters - 1))}…`;
}
