import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { fileLog, serviceLogDirectory } from './service-log.ts';

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'loam-service-log-'));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

it('holds no secret: not by its name, not in a message, not in an error and its causes', () => {
  const secret = 'credential-0123456789';
  const { log, file } = fileLog(state, [secret]);
  log.info({ credential: 'other-secret', farm: { token: 'a-token' } }, 'enrolled');
  log.error({ err: new Error(`401 for Bearer ${secret}`, { cause: new Error(`sent ${secret}`) }) }, `no ${secret}`);
  file.close();
  const text = readFileSync(join(serviceLogDirectory(state), 'agent.log'), 'utf8');
  expect(text.trimEnd().split('\n')).toHaveLength(2);
  for (const hidden of [secret, 'other-secret', 'a-token']) expect(text).not.toContain(hidden);
  expect(text).toContain('401 for Bearer [hidden]');
});
