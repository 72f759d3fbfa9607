/** A step of a build, and lines of its log, counted from 1. */
export interface LogPlace {
  readonly step?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/** Reads `step=dev/2&L=10-14`, the fragment of a link to lines of a log. */
export function parsePlace(hash: string): LogPlace {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const step = fields.get('step') ?? undefined;
  const lines = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(fields.get('L') ?? '');
  if (lines === null) return { step };
  const [a, b] = [Number(lines[1]), Number(lines[2] ?? lines[1])];
  return { step, from: Math.max(1, Math.min(a, b)), to: Math.max(1, a, b) };
}

export function formatPlace(place: LogPlace): string {
  const parts: string[] = [];
  if (place.step !== undefined) parts.push(`step=${encodeURIComponent(place.step).replaceAll('%2F', '/')}`);
  if (place.from !== undefined) {
    parts.push(`L=${place.from}${place.to !== undefined && place.to !== place.from ? `-${place.to}` : ''}`);
  }
  return parts.join('&');
}
