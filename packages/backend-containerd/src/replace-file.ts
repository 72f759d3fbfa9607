import { rename } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const attempts = 20;
const pauseMs = 50;
/** What Windows answers while somebody, such as a scanner, has the file or one of the two names open. */
const busyCodes: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'EBUSY']);

/**
 * Renames over what may be there. Windows refuses that while the file is open anywhere, which passes: it is tried again for a
 * second. Elsewhere those errors mean something else, and the first one counts.
 */
export async function replaceFile(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const mayPass = process.platform === 'win32' && busyCodes.has((error as NodeJS.ErrnoException).code);
      if (!mayPass || attempt === attempts) throw error;
      await delay(pauseMs);
    }
  }
}
