import type { HostEvents } from './host-events.ts';

const nowhere: HostEvents = { report() {} };

/** Linux has one log for all; there the lines of the log itself are enough. */
export async function openHostEvents(source: string): Promise<HostEvents> {
  if (process.platform !== 'win32') return nowhere;
  const { windowsEventLog } = await import('./windows/event-log.ts');
  try {
    return await windowsEventLog(source);
  } catch {
    return nowhere;
  }
}
