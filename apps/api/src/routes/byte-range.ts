/** First and last byte of a request for one range, `bytes=FROM-` or `bytes=FROM-TO`; undefined when it lies outside. */
export function readByteRange(text: string, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Math.min(match[2] ? Number(match[2]) : size - 1, size - 1);
  return start <= end ? { start, end } : undefined;
}
