import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { agentVersion, bundleAgent, type AgentBundle } from './bundle.ts';
import { makeExecutable } from './executable.ts';
import { platforms, type PackagePlatform } from './platforms.ts';

let home: string;
let bundle: AgentBundle;
let executable: string;

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'loam-package-'));
  bundle = await bundleAgent();
  const made = await makeExecutable(bundle, platformOf('linux-x64'), home);
  // Alone in a directory, and nothing of the workspace or of Node around it.
  executable = path.join(home, 'alone');
  copyFileSync(made, executable);
  chmodSync(executable, 0o755);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function platformOf(name: string): PackagePlatform {
  const found = platforms.find(({ platform }) => platform === name);
  if (found === undefined) throw new Error(`no platform ${name}`);
  return found;
}

async function agent(...parameters: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { cwd: home, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: home } };
  try {
    return { code: 0, ...(await promisify(execFile)(executable, parameters, options)) };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr };
  }
}

describe('the agent as one file, on a host without Node', () => {
  it('says its version and its commands', async () => {
    expect(await agent('--version')).toEqual({ code: 0, stdout: `${agentVersion()}\n`, stderr: '' });
    const help = await agent('--help');
    expect(help.stdout).toContain('service');
    expect((await agent('nonsense')).code).toBe(2);
  });

  it('has the licences of all that it is made of', async () => {
    const { code, stdout } = await agent('licenses');
    expect(code).toBe(0);
    const named = [...stdout.matchAll(/^(\S+) [\d.]+ \((.+)\)$/gm)].map(([, name, license]) => [name, license]);
    const by = Object.fromEntries(named) as Record<string, string>;
    expect(by).toMatchObject({ commander: 'MIT', pino: 'MIT', ws: 'MIT', '@bufbuild/protobuf': expect.any(String) });
    expect(stdout).toContain('Node.js is licensed for use as follows');
    expect(stdout).toContain('Permission is hereby granted');
  });

  it('answers with codes and remedies, as from the sources', async () => {
    const { code, stderr } = await agent('run', '--state', path.join(home, 'empty'));
    expect(code).toBe(78);
    expect(stderr).toContain('loam-agent: This agent belongs to no farm');
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  it('is healthy: a real little build on a containerd of its own', async () => {
    const { code, stdout } = await agent('healthcheck', '--json', '--state', path.join(home, 'healthy'));
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
    expect(code).toBe(0);
  });

  it('builds a spec with a context, and finds everything again the second time', async () => {
    writeFileSync(path.join(home, 'greeting'), 'from the context\n');
    const spec = '((from loam.local/busybox:latest) (copy (src greeting) (dst /)) (run (shell "cat /greeting")))';
    writeFileSync(path.join(home, 'spec'), spec);
    const build = ['build', '-f', 'spec', '.', '--state', path.join(home, 'healthy')];
    const first = await agent(...build);
    expect(first.stderr).toBe('');
    expect(first.stdout).toContain('from the context');
    expect(first.code).toBe(0);
    expect((await agent(...build, '--json')).stdout).toContain('"hit"');
  });

  it('serves under a service manager: starts without its farm, ends in order at SIGTERM, leaves nothing running', async () => {
    const state = path.join(home, 'served');
    mkdirSync(state);
    const farm = { url: 'http://127.0.0.1:9', agentId: 'agt_x', credential: 'c', name: 'x', pool: 'p', slots: 1 };
    writeFileSync(path.join(state, 'config.json'), JSON.stringify(farm));
    const child = spawn(executable, ['service', 'run', '--state', state], {
      cwd: home,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const { msg } = JSON.parse(line) as { msg: string };
      said.push(msg);
      if (msg === 'agent started') child.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
    expect(said.filter((text) => /agent started|^stopp/.test(text))).toEqual(['agent started', 'stopping', 'stopped']);
    expect(existsSync(path.join(state, 'containerd', 'containerd.pid'))).toBe(false);
  });
});

it('the same sources give the same bytes, which do not name the machine that made them', async () => {
  const other = mkdtempSync(path.join(tmpdir(), 'loam-package-again-'));
  try {
    const [one, two] = await Promise.all([bundleAgent(), bundleAgent()]);
    expect(one).toEqual(two);
    const again = await makeExecutable(bundle, platformOf('linux-x64'), other);
    expect(digestOf(again)).toBe(digestOf(executable));
    expect(bundle.script).not.toContain(path.resolve('.'));
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

it('what is bundled asks Node for nothing but its own modules', () => {
  const asked = [...bundle.script.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name ?? '');
  const foreign = asked.filter((name) => !name.startsWith('node:') && !builtin.has(name));
  expect(foreign.toSorted()).toEqual(['bufferutil', 'utf-8-validate']);
});

const builtin = new Set(process.getBuiltinModule('module').builtinModules);

function digestOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
