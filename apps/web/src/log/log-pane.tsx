import './log.css';

import { useEffect, useRef, useState } from 'react';

import { CopyButton } from '../components/copy-button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { formatBytes, plural } from '../components/format.ts';
import { logUrl } from '../data/api.ts';
import { useLog } from '../data/log-source.ts';
import { findLine } from './find.ts';
import type { LogStore } from './log-store.ts';
import { LogView, type LineSpan } from './log-view.tsx';

const copyLimitBytes = 8 * 1024 * 1024;

interface LogPaneProps {
  readonly logId: string;
  readonly running: boolean;
  readonly failed: boolean;
  /** The bytes come from the build that executed the step, not from this one. */
  readonly fromEarlierBuild: boolean;
  readonly lines: LineSpan | undefined;
  readonly onLines: (lines: LineSpan | undefined) => void;
  readonly follow: boolean;
  readonly onFollow: (on: boolean) => void;
}

/** A log with its tools. */
export function LogPane(props: LogPaneProps) {
  const { store, error } = useLog(props.logId);
  const version = useFrameVersion(store);
  // What was seen running is followed to its last byte; of what failed, the end is what one came for.
  const [sticks] = useState(props.running || props.failed);
  const follow = props.follow && sticks;
  return (
    <div className="log-pane">
      <div className="log-tools">
        <span className="soft numbers truncate">
          {plural(store.lineCount, 'line')}, {formatBytes(store.size)}
          {props.fromEarlierBuild ? ', from the build that ran this step' : ''}
        </span>
        <span className="grow" />
        <Find
          store={store}
          onFound={(line) => props.onLines({ from: line, to: line })}
          after={props.lines?.from ?? 0}
        />
        {props.running ? (
          <button
            type="button"
            className="button small quiet"
            aria-pressed={props.follow}
            onClick={() => props.onFollow(!props.follow)}
          >
            Follow
          </button>
        ) : null}
        <CopyLog store={store} lines={props.lines} />
        <a className="button small quiet" href={logUrl(props.logId)} download={`${props.logId}.log`}>
          Download
        </a>
      </div>
      {error ? <ErrorNotice error={error} /> : null}
      <LogView
        store={store}
        version={version}
        lines={props.lines}
        onLines={props.onLines}
        follow={follow}
        onFollow={props.onFollow}
        running={props.running}
      />
    </div>
  );
}

/** The store's version, at most once a frame: a chatty step sends far more often than a screen can show. */
function useFrameVersion(store: LogStore): number {
  const [version, setVersion] = useState(store.version);
  useEffect(() => {
    let frame = 0;
    const show = () => {
      frame = 0;
      setVersion(store.version());
    };
    const stop = store.subscribe(() => {
      frame ||= requestAnimationFrame(show);
    });
    show();
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [store]);
  return version;
}

function CopyLog({ store, lines }: { store: LogStore; lines: LineSpan | undefined }) {
  if (lines === undefined && store.size > copyLimitBytes) return null;
  const text = () => {
    const start = lines === undefined ? 0 : store.line(lines.from - 1).start;
    const end = lines === undefined ? store.size : store.line(Math.min(lines.to, store.lineCount) - 1).end;
    return new TextDecoder().decode(store.read(start, end));
  };
  return <CopyButton text={text} label={lines === undefined ? 'Copy' : 'Copy lines'} />;
}

/** Enter goes to the next line that has the text, shift-Enter to the one before. */
function Find({ store, after, onFound }: { store: LogStore; after: number; onFound: (line: number) => void }) {
  const [text, setText] = useState('');
  const [missing, setMissing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const find = (backwards: boolean) => {
    if (text === '') return;
    const line = findLine(store, text, after - 1, backwards);
    setMissing(line === -1);
    if (line !== -1) onFound(line + 1);
  };
  return (
    <input
      ref={input}
      type="search"
      className={`input log-find${missing ? ' missing' : ''}`}
      placeholder="Find ( / )"
      aria-label="Find in the log; Enter for the next line that has it"
      aria-invalid={missing}
      title={missing ? 'Not in this log' : 'Enter: next, Shift-Enter: the one before'}
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        setMissing(false);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter') find(event.shiftKey);
        if (event.key === 'Escape') input.current?.blur();
      }}
    />
  );
}
