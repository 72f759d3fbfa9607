import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { HostEvent, HostEvents } from '../host-events.ts';
import { loadKoffi, type Pointer } from './koffi.ts';

const key = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application';
/** Every host has it, and its messages 1 to 1000 are the bare text. That it is there is in docs/windows-verification.md. */
const messageFile = '%SystemRoot%\\System32\\EventCreate.exe';
/** Numbers of winnt.h (Microsoft, "ReportEventW function"). */
const types = { error: 1, warning: 2, information: 4 };

/** How each event stands in the log; monitoring may rely on the numbers. */
export const eventNumbers: Readonly<Record<HostEvent, { readonly id: number; readonly type: number }>> = {
  started: { id: 100, type: types.information },
  stopped: { id: 101, type: types.information },
  enrolled: { id: 110, type: types.information },
  quarantined: { id: 200, type: types.warning },
  failed: { id: 300, type: types.error },
};

/** Arguments of reg.exe that make the source known, so that the viewer shows its texts (Microsoft, "Event Sources"). */
export function sourceArguments(source: string): string[][] {
  const at = `${key}\\${source}`;
  const allTypes = String(types.error | types.warning | types.information);
  return [
    ['add', at, '/v', 'EventMessageFile', '/t', 'REG_EXPAND_SZ', '/d', messageFile, '/f'],
    ['add', at, '/v', 'TypesSupported', '/t', 'REG_DWORD', '/d', allTypes, '/f'],
  ];
}

/** Needs an administrator. Does no harm when it has been done before. */
export async function registerEventSource(source: string): Promise<void> {
  for (const parameters of sourceArguments(source)) await reg(parameters);
}

/** Events in the log stay; the viewer shows them without their text's frame. */
export async function removeEventSource(source: string): Promise<void> {
  await reg(['delete', `${key}\\${source}`, '/f']).catch(() => undefined);
}

/** The event log of Windows, section Application. An event that cannot be written is lost: the log file has it, too. */
export async function windowsEventLog(source: string): Promise<HostEvents> {
  const koffi = await loadKoffi();
  const library = koffi.load('advapi32.dll');
  const open = library.func('void *RegisterEventSourceW(str16 server, str16 source)');
  const close = library.func('int DeregisterEventSource(void *log)');
  const report = library.func(
    'int ReportEventW(void *log, uint16_t type, uint16_t category, uint32_t id, void *user, uint16_t count, uint32_t dataSize, str16 *strings, void *data)',
  );
  return {
    report(event, text) {
      const log = open(null, source) as Pointer;
      if (log === null) return;
      const { id, type } = eventNumbers[event];
      report(log, type, 0, id, null, 1, 0, [text], null);
      close(log);
    },
  };
}

async function reg(parameters: readonly string[]): Promise<void> {
  const program = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'reg.exe');
  await promisify(execFile)(program, [...parameters], { timeout: 30_000, windowsHide: true });
}
