import { memo, useEffect, useLayoutEffect, useRef, useState, type MouseEvent } from 'react';

import { formatBytes } from '../components/format.ts';
import { cssColour, textColour } from './ansi-colour.ts';
import { parseLine, type TextStyle } from './ansi.ts';
import type { LogStore } from './log-store.ts';
import { rowHeight, scrollForLine, spacerHeight, visibleWindow } from './window.ts';

/** Lines counted from 1, both ends included. */
export interface LineSpan {
  readonly from: number;
  readonly to: number;
}

interface LogViewProps {
  readonly store: LogStore;
  /** The store's version; the store itself never changes identity. */
  readonly version: number;
  readonly lines: LineSpan | undefined;
  readonly onLines: (lines: LineSpan | undefined) => void;
  readonly follow: boolean;
  readonly onFollow: (on: boolean) => void;
  readonly running: boolean;
}

/** The visible lines of a log, and no others: some sixty rows in the page whatever its length. */
export function LogView({ store, version, lines, onLines, follow, onFollow, running }: LogViewProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [atEnd, setAtEnd] = useState(true);
  const count = store.lineCount;
  const shown = visibleWindow(count, view.top, view.height);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current!;
    if (follow) element.scrollTop = element.scrollHeight;
  }, [follow, version, view.height]);

  // A link to a line waits until the line is there.
  const wanted = lines?.from;
  const reached = wanted !== undefined && wanted <= count;
  useEffect(() => {
    const element = scroller.current!;
    if (reached)
      element.scrollTop = scrollForLine(wanted - 1, store.lineCount, element.scrollTop, element.clientHeight);
  }, [wanted, reached, store]);

  const lastTop = useRef(0);
  const onScroll = () => {
    const element = scroller.current!;
    const top = element.scrollTop;
    const end = top + element.clientHeight >= element.scrollHeight - rowHeight;
    setView({ top, height: element.clientHeight });
    setAtEnd(end);
    // Only a reader moves the view up: what arrives makes it longer, and following moves it down.
    if (follow && top < lastTop.current - 1 && !end) onFollow(false);
    if (running && end && !follow) onFollow(true);
    lastTop.current = top;
  };
  // One listener for all rows, so that a row's properties stay the same and it is not rendered again.
  const onNumber = (event: MouseEvent<HTMLElement>) => {
    const line = Number((event.target as HTMLElement).dataset['line']);
    if (!(line > 0)) return;
    if (event.shiftKey && lines !== undefined)
      onLines({ from: Math.min(lines.from, line), to: Math.max(lines.from, line) });
    else onLines(lines?.from === line && lines.to === line ? undefined : { from: line, to: line });
  };
  const toEnd = () => {
    scroller.current!.scrollTop = scroller.current!.scrollHeight;
    if (running) onFollow(true);
  };
  return (
    <div className="log-frame">
      <div
        ref={scroller}
        className="log-scroller"
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={onScroll}
      >
        <div className="log-spacer" style={{ height: spacerHeight(count) }}>
          <div
            className="log-rows"
            onClick={onNumber}
            style={{ transform: `translateY(${shown.offset}px)`, '--digits': String(count).length } as never}
          >
            {Array.from({ length: shown.last - shown.first }, (_, row) => {
              const line = shown.first + row;
              const { start, end } = store.line(line);
              const marked = lines !== undefined && line + 1 >= lines.from && line + 1 <= lines.to;
              return <LogLine key={line} store={store} line={line} start={start} end={end} marked={marked} />;
            })}
          </div>
        </div>
      </div>
      {count === 0 ? (
        <p className="log-none faint">{running ? 'Waiting for output…' : store.complete ? 'No output.' : 'Loading…'}</p>
      ) : null}
      {atEnd || count === 0 ? null : (
        <button type="button" className="button small log-end" onClick={toEnd}>
          Jump to end
        </button>
      )}
    </div>
  );
}

interface LogLineProps {
  readonly store: LogStore;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly marked: boolean;
}

/** Longer lines are shown cut, and say so; the download has all of it. */
const shownBytes = 16 * 1024;
const decoder = new TextDecoder();

// A line with the same ends has the same bytes.
const LogLine = memo(function LogLine({ store, line, start, end, marked }: LogLineProps) {
  const spans = parseLine(decoder.decode(store.read(start, Math.min(end, start + shownBytes))), store.styleAt(line));
  return (
    <div className={marked ? 'log-line marked' : 'log-line'}>
      <button
        type="button"
        className="log-number"
        tabIndex={-1}
        aria-label={`Link to line ${line + 1}`}
        data-line={line + 1}
      >
        {line + 1}
      </button>
      <span className="log-text">
        {spans.map((span, at) => (
          <span key={at} style={cssOf(span.style)}>
            {span.text}
          </span>
        ))}
        {end - start > shownBytes ? (
          <em className="faint"> … {formatBytes(end - start - shownBytes)} more on this line</em>
        ) : null}
      </span>
    </div>
  );
});

function cssOf(style: TextStyle): Record<string, string | number> {
  const foreground = style.foreground === null ? undefined : cssColour(style.foreground);
  const background = style.background === null ? undefined : cssColour(style.background);
  const css: Record<string, string | number> = {};
  if (style.inverse) {
    css['color'] = background ?? 'var(--log-ground)';
    css['background'] = foreground ?? 'var(--text)';
  } else {
    const text = textColour(style);
    if (text) css['color'] = text;
    if (background) css['background'] = background;
  }
  if (style.bold) css['fontWeight'] = 700;
  if (style.dim) css['opacity'] = 0.65;
  if (style.italic) css['fontStyle'] = 'italic';
  const line = [style.underline ? 'underline' : '', style.strike ? 'line-through' : ''].join(' ').trim();
  if (line !== '') css['textDecoration'] = line;
  return css;
}
