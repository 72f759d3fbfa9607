import type { CacheNode } from '@loam/contracts';
import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';

import { formatBytes, plural } from '../../components/format.ts';
import { useIsDark } from '../../components/theme.ts';
import type { Layout } from '../../graph/layout.ts';
import { nodeAt } from '../../graph/layout.ts';
import { paint, rowPixels } from '../../graph/paint.ts';
import { fitted, panned, wholeView, zoomed, type Viewport } from '../../graph/viewport.ts';
import { knownBytesOf } from '../../graph/weights.ts';
import { readPalette } from './palette.ts';
import { usePointer } from './use-pointer.ts';

interface IcicleProps {
  readonly nodes: readonly CacheNode[];
  readonly layout: Layout;
  readonly labels: readonly string[];
  readonly matches: ReadonlySet<number> | null;
  readonly selected: number;
  readonly onSelect: (index: number) => void;
}

/** The forest on a canvas: bases on top, layers below, width for weight. */
export function Icicle({ nodes, layout, labels, matches, selected, onSelect }: IcicleProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 800, height: 500 });
  const [view, setView] = useState<Viewport>(wholeView);
  const [hovered, setHovered] = useState(-1);
  const dark = useIsDark();

  useLayoutEffect(() => {
    const element = canvas.current!;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current!;
    const frame = requestAnimationFrame(() => {
      const ratio = devicePixelRatio;
      element.width = Math.round(size.width * ratio);
      element.height = Math.round(size.height * ratio);
      const context = element.getContext('2d')!;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      paint(context, {
        nodes,
        layout,
        labels,
        view,
        ...size,
        selected,
        hovered,
        matches,
        palette: readPalette(element),
      });
    });
    return () => cancelAnimationFrame(frame);
  }, [nodes, layout, labels, view, size, selected, hovered, matches, dark]);

  // A selection from elsewhere (a link, the search, the keyboard) is brought into view.
  useEffect(() => {
    if (selected === -1) return;
    setView((now) => reveal(now, layout, selected, size));
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- resizing must not move the view
  }, [selected, layout]);

  const at = (x: number, y: number) =>
    nodeAt(layout, Math.floor((y + view.top) / rowPixels), view.x0 + ((view.x1 - view.x0) * x) / size.width);
  const fit = (index: number) =>
    setView(
      index === -1
        ? wholeView
        : fitted(layout.start[index]!, layout.end[index]!, Math.max(0, layout.depth[index]! - 1) * rowPixels),
    );
  usePointer(canvas, {
    click: (x, y) => onSelect(at(x, y)),
    doubleClick: (x, y) => fit(at(x, y)),
    hover: (x, y) => setHovered(x < 0 ? -1 : at(x, y)),
    pan: (dx, dy) => setView((now) => panned(now, -dx / size.width, -dy)),
    zoom: (factor, x) => setView((now) => zoomed(now, factor, x / size.width)),
  });

  const onKeyDown = (event: KeyboardEvent) => {
    const next = neighbour(layout, selected, event.key);
    if (next !== undefined) onSelect(next);
    else if (event.key === '+' || event.key === '=') setView((now) => zoomed(now, 0.5, 0.5));
    else if (event.key === '-') setView((now) => zoomed(now, 2, 0.5));
    else if (event.key === '0') setView(wholeView);
    else if (event.key === 'Enter') fit(selected);
    else if (event.key === 'Escape') onSelect(-1);
    else return;
    event.preventDefault();
  };
  const shown = hovered === -1 ? selected : hovered;
  return (
    <div className="panel icicle">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label="Snapshots as layers. Arrow keys walk, Enter zooms to the selection, plus and minus zoom, 0 shows all. The table view has the same content."
        onKeyDown={onKeyDown}
      />
      <div className="icicle-foot">
        <span className="legend">
          <i className="stratum-from" /> from <i className="stratum-run" /> run <i className="stratum-copy" /> copy
          <span className="wide-only soft">(pale: on no agent)</span>
        </span>
        <span className="truncate grow soft mono" aria-live="polite">
          {shown === -1 ? '' : describe(nodes[shown]!, layout, shown)}
        </span>
        <button
          type="button"
          className="button small"
          aria-label="Zoom out"
          onClick={() => setView(zoomed(view, 2, 0.5))}
        >
          −
        </button>
        <button
          type="button"
          className="button small"
          aria-label="Zoom in"
          onClick={() => setView(zoomed(view, 0.5, 0.5))}
        >
          +
        </button>
        <button type="button" className="button small" onClick={() => setView(wholeView)}>
          Show all
        </button>
      </div>
    </div>
  );
}

function describe(node: CacheNode, layout: Layout, index: number): string {
  const below = layout.size[index]! - 1;
  return `${formatBytes(knownBytesOf(node))}${below > 0 ? `, ${plural(below, 'snapshot')} on it` : ''}  ${node.op.replace(/\s+/g, ' ')}`;
}

function neighbour(layout: Layout, from: number, key: string): number | undefined {
  if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'].includes(key)) return undefined;
  if (from === -1) return layout.rows[0]?.[0];
  if (key === 'ArrowUp') return layout.parent[from] === -1 ? from : layout.parent[from];
  if (key === 'ArrowDown') return layout.firstChild[from] === -1 ? from : layout.firstChild[from];
  const row = layout.rows[layout.depth[from]!]!;
  const next = row.indexOf(from) + (key === 'ArrowRight' ? 1 : -1);
  return row[next] ?? from;
}

/** Moves and zooms only as far as needed for the node to be seen and be wide enough to see. */
function reveal(view: Viewport, layout: Layout, index: number, size: { width: number; height: number }): Viewport {
  const [start, end] = [layout.start[index]!, layout.end[index]!];
  const y = layout.depth[index]! * rowPixels;
  const top = y < view.top || y + rowPixels > view.top + size.height ? Math.max(0, y - size.height / 2) : view.top;
  const pixels = ((end - start) / (view.x1 - view.x0)) * size.width;
  const seen = end > view.x0 && start < view.x1 && pixels >= 24;
  if (seen) return { ...view, top };
  const width = Math.max((end - start) * 4, 1e-9);
  return fitted((start + end) / 2 - width / 2, (start + end) / 2 + width / 2, top);
}
