import type { Agent } from '@loam/contracts';
import { expect, it } from 'vitest';

import { summaryOf } from './summary.ts';

const agent = (state: Agent['state'], slots = 2): Agent => ({
  id: 'agt_1',
  name: 'soil',
  pool: 'linux',
  state,
  reason: null,
  slots,
  facts: null,
  enrolledAt: 1,
  lastSeenAt: 1,
  running: [],
  snapshots: 0,
  snapshotBytes: 0,
  doctor: null,
});

it('counts a draining agent as online, says that it drains, and offers none of its slots', () => {
  expect(summaryOf([agent('draining')])).toBe('1 of 1 agent online (1 draining), 0 free slots');
  expect(summaryOf([agent('online', 1), agent('draining')])).toBe('2 of 2 agents online (1 draining), 1 free slot');
});

it('does not count as online what is not connected, was revoked or is quarantined', () => {
  const agents = [agent('online'), agent('offline'), agent('revoked'), agent('quarantined')];
  expect(summaryOf(agents)).toBe('1 of 4 agents online, 2 free slots');
});
