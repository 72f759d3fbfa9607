/** One line of /proc/self/mountinfo. */
export interface MountInfo {
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly source: string;
}

/**
 * Reads /proc/self/mountinfo. Space, tab, newline and backslash are written there as `\` and three octal digits.
 * Source: proc(5).
 */
export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const mountPoint = before.split(' ')[4];
    const [fileSystem = '', source = ''] = after.split(' ');
    if (mountPoint !== undefined)
      mounts.push({ mountPoint: unescape(mountPoint), fileSystem, source: unescape(source) });
  }
  return mounts;
}

function unescape(field: string): string {
  if (!field.includes('\\')) return field;
  const bytes = field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return bytes;
}
