import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { stallOf } from './stall.mjs';

let child;
beforeEach(async () => {
  child = spawn('sleep', ['1000']);
  await once(child, 'spawn');
});
afterEach(() => child.kill('SIGKILL'));

describe('a process that should make progress', () => {
  it('has stalled when none came for so long, and did nothing meanwhile', async () => {
    let looks = 0;
    let lastSignAt = 0;
    const progress = () => {
      if (looks++ < 5) lastSignAt = performance.now();
      return Math.min(looks, 5);
    };
    const said = await stallOf(child.pid, { progress, silenceMs: 100, everyMs: 10 });
    expect(said).toMatch(/no sign of life for [\d.]+ s, in which it ran for 0\.\d s and waited .* [\d.]+ s$/);
    expect(looks).toBeGreaterThan(5);
    expect(performance.now() - lastSignAt).toBeGreaterThan(99);
  });

  it('is not watched any longer than somebody wants to know', async () => {
    const controller = new AbortController();
    const stall = stallOf(child.pid, { progress: () => 0, silenceMs: 1_000_000, signal: controller.signal });
    controller.abort();
    await expect(stall).rejects.toMatchObject({ name: 'AbortError' });
  });
});
