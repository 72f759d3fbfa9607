import { existsSync, readFileSync } from 'node:fs';

interface Line {
  level?: number;
  msg?: string;
  what?: string;
  err?: { type?: string; code?: string; message?: string };
  error?: string;
}

const warning = 40;

/** Warnings and errors of a process's log, by kind, most frequent first: each is something to judge by reading. */
export function complaints(logFile: string): string[] {
  if (!existsSync(logFile)) return [];
  const kinds = new Map<string, number>();
  for (const text of readFileSync(logFile, 'utf8').split('\n')) {
    const kind = kindOf(text);
    if (kind !== undefined) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].toSorted(([, a], [, b]) => b - a).map(([kind, count]) => `${String(count).padStart(5)} × ${kind}`);
}

function kindOf(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  const line = parse(text);
  // What is no line of the log was printed by Node or by a library.
  if (line === undefined) return `(no log line) ${same(text)}`;
  if (line.level === undefined || line.level < warning) return undefined;
  const { err } = line;
  const cause = err === undefined ? '' : `: ${err.code ?? err.type ?? ''} ${err.message ?? ''}`;
  return same(`[${line.level}] ${line.msg ?? ''}${line.what === undefined ? '' : ` (${line.what})`}${cause}`);
}

function parse(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line;
    return typeof line === 'object' && line !== null ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Without what differs from time to time. */
function same(text: string): string {
  return text
    .slice(0, 300)
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'UUID')
    .replaceAll(/\b[0-9a-f]{12,}\b/g, 'HEX')
    .replaceAll(/\b[a-z]+_[0-9A-Za-z]{10,}\b/g, 'ID')
    .replaceAll(/\d+/g, 'N');
}
