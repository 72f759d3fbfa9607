import { expect, test } from 'vitest';

import { socketPath } from './containerd-process.ts';

test('the socket stands beside its data', () => {
  expect(socketPath('/var/lib/loam-agent/containerd')).toBe('/var/lib/loam-agent/containerd/containerd.sock');
});

test('below a path too long for a socket it stands in /run, one place per directory', () => {
  const deep = `/${'deep/'.repeat(30)}containerd`;
  expect(socketPath(deep)).toMatch(/^\/run\/loam-[0-9a-f]{16}\/containerd\.sock$/);
  expect(socketPath(deep)).not.toBe(socketPath(`${deep}2`));
  // The kernel allows 107 bytes; the longest path in use is the one for ttrpc.
  for (let length = 60; length < 120; length += 1) {
    expect(`${socketPath(`/${'x'.repeat(length)}`)}.ttrpc`.length).toBeLessThanOrEqual(107);
  }
});
