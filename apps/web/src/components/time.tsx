import { formatAge, formatDuration, formatTime } from './format.ts';
import { useNow } from './use-now.ts';

export function Age({ at }: { at: number | null }) {
  const now = useNow(at !== null);
  if (at === null) return <span className="faint">never</span>;
  return (
    <time className="numbers" dateTime={new Date(at).toISOString()} title={formatTime(at)}>
      {formatAge(at, now)}
    </time>
  );
}

/** From `start` to `end`, counting on while there is no end. */
export function Elapsed({ start, end }: { start: number | null; end: number | null }) {
  const now = useNow(start !== null && end === null);
  if (start === null) return <span className="faint">–</span>;
  return <span className="numbers">{formatDuration(Math.max(0, (end ?? now) - start))}</span>;
}
