import type { AgentDetailRow } from '@loam/db';
import { describe, expect, test } from 'vitest';

import { agentState, waitingReason } from './agent.ts';

const now = 1_800_000_000_000;
const times = { now, heartbeatMs: 5_000 };

function row(change: Partial<AgentDetailRow> = {}): AgentDetailRow {
  return {
    id: 'agt_1',
    name: 'soil-1',
    pool: 'linux',
    slots: null,
    capacity: 1,
    draining: false,
    quarantineReason: null,
    revokedAt: null,
    facts: null,
    bootId: 'b',
    linkId: 'l',
    enrolledAt: 1,
    lastSeenAt: now - 1_000,
    running: [],
    snapshots: 0,
    snapshotBytes: 0,
    doctor: null,
    ...change,
  };
}
const busy: Pick<AgentDetailRow, 'running'> = { running: [{ buildId: 'bld_1', title: null }] as never };
const offline = { linkId: null };

describe('the state of an agent', () => {
  test.each([
    ['online', {}],
    ['offline', offline],
    ['offline', { lastSeenAt: now - 60_000 }],
    ['offline', { lastSeenAt: null }],
    ['draining', { draining: true }],
    ['quarantined', { quarantineReason: 'it will not die', draining: true }],
    ['revoked', { revokedAt: 1 }],
  ] as const)('is %s with %j', (state, change) => {
    expect(agentState(row(change), times)).toBe(state);
  });
});

describe('why a build waits', () => {
  const none = 'No agent of the pool "linux" is connected.';
  test.each<[string, AgentDetailRow[], string]>([
    ['no agent', [], 'No agent of the pool "linux" was ever enrolled.'],
    ['only revoked ones', [row({ revokedAt: 5 })], 'No agent of the pool "linux" was ever enrolled.'],
    ['one that never came', [row({ ...offline, lastSeenAt: null })], none],
    ['one seen lately', [row({ ...offline, lastSeenAt: now - 200 })], `${none} The last one was seen 1 s ago.`],
    [
      'the later counts',
      [row({ ...offline, lastSeenAt: 1 }), row({ ...offline, lastSeenAt: now - 7 * 60_000 })],
      `${none} The last one was seen 7 min ago.`,
    ],
    ['hours', [row({ ...offline, lastSeenAt: now - 5 * 3_600_000 })], `${none} The last one was seen 5 h ago.`],
    ['days', [row({ ...offline, lastSeenAt: now - 72 * 3_600_000 })], `${none} The last one was seen 3 days ago.`],
    ['all drain', [row({ draining: true }), row(offline)], 'Every connected agent of the pool "linux" is draining.'],
    [
      'one is ill',
      [row({ draining: true }), row({ quarantineReason: 'x' })],
      'Every connected agent of the pool "linux" is draining or quarantined.',
    ],
    ['one busy', [row(busy), row({ draining: true })], 'The only agent is busy.'],
    ['two busy', [row(busy), row(busy)], 'All 2 agents are busy.'],
    ['a slot is free', [row(busy), row({ ...busy, capacity: 2 })], 'It is about to be given to an agent.'],
    ['an operator allows fewer slots', [row({ ...busy, capacity: 4, slots: 1 })], 'The only agent is busy.'],
  ])('%s', (_case, agents, reason) => {
    expect(waitingReason('linux', agents, times)).toBe(reason);
  });
});
