import { expect, it } from 'vitest';

import { eventNumbers, sourceArguments } from './event-log.ts';

it('the source is registered with a message file whose messages are the bare text', () => {
  const key = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\loam-agent';
  expect(sourceArguments('loam-agent')).toEqual([
    [
      'add',
      key,
      '/v',
      'EventMessageFile',
      '/t',
      'REG_EXPAND_SZ',
      '/d',
      '%SystemRoot%\\System32\\EventCreate.exe',
      '/f',
    ],
    ['add', key, '/v', 'TypesSupported', '/t', 'REG_DWORD', '/d', '7', '/f'],
  ]);
});

it('numbers of events are those that monitoring relies on, and ones that EventCreate.exe has a message for', () => {
  expect(Object.entries(eventNumbers).map(([event, { id, type }]) => [event, id, type])).toEqual([
    ['started', 100, 4],
    ['stopped', 101, 4],
    ['enrolled', 110, 4],
    ['quarantined', 200, 2],
    ['failed', 300, 1],
  ]);
  for (const { id } of Object.values(eventNumbers)) expect(id >= 1 && id <= 1000).toBe(true);
});
