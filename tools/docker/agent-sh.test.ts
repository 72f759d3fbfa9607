import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

const script = resolve(import.meta.dirname, '../../infra/docker/agent.sh');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loam-agent-sh-'));
  for (const program of ['loam-agent', 'sleep'])
    writeFileSync(join(folder, program), `#!/bin/sh\necho "${program} $* \${LOAM_ENROL_TOKEN:-none}"\n`, {
      mode: 0o755,
    });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What it ran, with the token that each program found. */
function start(token: string): string[] {
  const { stdout } = spawnSync('sh', [script], {
    env: {
      PATH: `${folder}:${process.env['PATH']}`,
      LOAM_STATE: folder,
      LOAM_URL: 'http://api:7700',
      LOAM_ENROL_TOKEN: token,
    },
    encoding: 'utf8',
  });
  return stdout.trim().split('\n');
}

it('enrols at the first start, and runs without the token', () => {
  expect(start('loamenr_x')).toEqual(['loam-agent enrol --url http://api:7700 loamenr_x', 'loam-agent run none']);
});

it('runs when it is enrolled, whatever token there still is', () => {
  writeFileSync(join(folder, 'config.json'), '{}');
  expect([start('loamenr_x'), start('')]).toEqual([['loam-agent run none'], ['loam-agent run none']]);
});

it('waits, and says for what, as long as there is no token', () => {
  expect(start('')).toEqual([expect.stringContaining('LOAM_ENROL_TOKEN='), 'sleep infinity none']);
});
