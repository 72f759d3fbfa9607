import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { createClient, type Client } from '@loam/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { root as workspace } from '../lib/paths.mjs';
import { bundleAgent } from '../package/bundle.ts';
import { makeExecutable } from '../package/executable.ts';
import { platforms } from '../package/platforms.ts';

/** A host without Node, and without systemd: everything goes below a directory. */
const plainPath = '/usr/sbin:/usr/bin:/sbin:/bin';

let home: string;
let client: Client;
const running: ChildProcess[] = [];

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'loam-installed-'));
  await makePackage();
  client = await startApi();
});

afterAll(async () => {
  for (const child of running.toReversed()) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  rmSync(home, { recursive: true, force: true });
});

async function makePackage(): Promise<void> {
  const platform = platforms.find((each) => each.platform === 'linux-x64');
  if (platform === undefined) throw new Error('no package for Linux');
  const bytes = readFileSync(await makeExecutable(await bundleAgent(), platform, home));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const file = { platform: platform.platform, name: platform.fileName, size: bytes.length, sha256 };
  writeFileSync(path.join(home, 'manifest.json'), JSON.stringify({ version: '0.0.0-test', files: [file] }));
}

async function startApi(): Promise<Client> {
  const api = spawn(process.execPath, [path.join(workspace, 'apps/api/src/main.ts')], {
    env: {
      ...process.env,
      LOAM_DATA: path.join(home, 'data'),
      LOAM_LISTEN: '127.0.0.1:0',
      LOAM_AGENT_PACKAGES: home,
      LOAM_STARTER: '1',
      LOAM_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(api);
  for await (const line of createInterface({ input: api.stdout })) {
    const { url, starterToken } = JSON.parse(line) as { url: string; starterToken: string };
    return createClient({ url, token: starterToken });
  }
  throw new Error('the API did not start');
}

test('the packaged agent is installed by one line, enrols and connects, and goes away again', async () => {
  const { commands } = await client.createEnrolmentToken({ pool: 'linux', slots: 3 });
  const host = path.join(home, 'host');
  const paste = async (options: string): Promise<string> => {
    const line = `${commands.linux} --root ${host} --name packaged ${options}`;
    return (await promisify(execFile)('sh', ['-c', line], { env: { PATH: plainPath } })).stdout;
  };
  expect(await paste('')).toContain('Enrolled as packaged');

  const program = path.join(host, 'usr/local/bin/loam-agent');
  const state = path.join(host, 'var/lib/loam-agent');
  const agent = spawn(program, ['run', '--state', state, '--grace', '1s'], {
    env: { PATH: plainPath },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(agent);
  for await (const line of createInterface({ input: agent.stdout })) if (line.includes('linked to the farm')) break;
  const [known] = (await client.agents()).items;
  expect(known).toMatchObject({ name: 'packaged', pool: 'linux', state: 'online', slots: 3 });

  const ended = once(agent, 'exit');
  agent.kill('SIGTERM');
  await ended;
  running.splice(running.indexOf(agent), 1);
  expect(await paste('')).toContain('Nothing had to be changed.');
  expect(await paste('--uninstall --purge')).toContain(`delete ${state}`);
});
