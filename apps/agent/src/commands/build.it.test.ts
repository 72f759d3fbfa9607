import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { letGo, TestInstall, waits } from '../testing/agent-process.ts';

let install: TestInstall;
beforeAll(async () => {
  install = new TestInstall();
  await install.importBusybox();
  mkdirSync(`${install.home}/project`);
  install.file('project/data.txt', 'from the project\n');
});
afterAll(() => install.close());

const base = '(from loam.local/busybox:latest)';

interface Event {
  readonly type: string;
  readonly position: string;
  readonly outcome: string;
  readonly text?: string;
  readonly result?: string;
}

async function build(
  spec: string,
  ...options: string[]
): Promise<{ code: number | null; stderr: string; events: Event[] }> {
  const file = install.file('test.spec', spec);
  const { code, stdout, stderr } = await install.run('build', '-f', file, 'project', '--json', ...options);
  const events = stdout
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
  return { code, stderr, events };
}

const outcomes = (events: readonly Event[]): string[] =>
  events.filter((event) => event.type === 'step-ended').map((event) => event.outcome);
const logOf = (events: readonly Event[]): string =>
  events
    .filter((event) => event.type === 'step-log')
    .map((event) => event.text)
    .join('');

test('a spec is built cold, and is all hits the second time', async () => {
  const spec = `(${base} (run (shell "echo cold; uname")) (copy (src data.txt) (dst /data/)) (run (shell "cat /data/data.txt")))`;
  const cold = await build(spec);
  expect([cold.code, outcomes(cold.events), logOf(cold.events)]).toEqual([
    0,
    // Unpacked by an earlier build or not.
    [expect.stringMatching(/hit|built/), 'built', 'built', 'built'],
    'cold\nLinux\nfrom the project\n',
  ]);
  const warm = await build(spec);
  expect([warm.code, outcomes(warm.events), logOf(warm.events)]).toEqual([0, ['hit', 'hit', 'hit', 'hit'], '']);
  expect(warm.events.at(-1)?.result).toBe(cold.events.at(-1)?.result);
  expect(await install.leftovers()).toEqual([]);
});

test('ends with the exit code of the step that failed, and tells why', async () => {
  const { code, stderr, events } = await build(`(${base} (run (shell "echo before; exit 7")))`);
  expect([code, logOf(events)]).toEqual([7, 'before\n']);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'engine.step-failed' } });
  expect(await install.leftovers()).toEqual([]);
});

test('ends with 2 and the places of the errors when the spec is wrong', async () => {
  const { code, stderr } = await build('((from x) (runn (shell y)))');
  expect(code).toBe(2);
  expect(stderr).toContain('test.spec:1:12: error:');
});

test('gives a step its secret', async () => {
  const spec = `(${base} (run (secrets (pass (target /run/secrets/pass))) (shell "wc -c < /run/secrets/pass")))`;
  const { code, events } = await build(spec, '--secret', `pass:${install.file('pass', 'twelve bytes')}`);
  expect([code, logOf(events).trim()]).toEqual([0, '12']);
});

test('lists the cache, and removes a step with what stands on it after a dry run', async () => {
  const { events } = await build(`(${base} (run (shell "echo a > /a")) (run (shell "echo b > /b")))`);
  const first = events.find((event) => event.type === 'step-ended' && event.position === '1') as unknown as {
    stepId: string;
  };
  const remove = async (...options: string[]): Promise<{ steps?: { op: string }[]; error?: { code: string } }> => {
    const { stdout, stderr } = await install.run('cache', 'rm', first.stepId.slice(0, 12), '--json', ...options);
    return JSON.parse(stdout || stderr) as { steps: { op: string }[] };
  };
  expect((await remove()).error?.code).toBe('backend.snapshot-in-use');
  const dry = await remove('--recursive', '--dry-run');
  expect(dry.steps?.map((step) => step.op).toSorted()).toEqual([
    '(run (shell "echo a > /a"))',
    '(run (shell "echo b > /b"))',
  ]);
  expect((await install.run('cache', 'ls')).stdout).toContain('echo b > /b');
  expect((await remove('--recursive')).steps).toEqual(dry.steps);
  expect((await install.run('cache', 'ls')).stdout).not.toContain('echo b > /b');
});

test('a build that is killed leaves nothing behind once the agent has started again, and its step is built then', async () => {
  const salt = `killed ${process.pid}`;
  const spec = install.file(
    'killed.spec',
    `(${base} (run (shell ": ${salt}; echo running-$((40+2)); ${waits}; echo done")))`,
  );
  const killed = install.start('build', '-f', spec, 'project', '--keep-containerd');
  await killed.printed('running-42');
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect(await install.leftovers()).not.toEqual([]);

  const again = install.start('build', '-f', spec, 'project', '--keep-containerd');
  await again.printed('running-42');
  letGo(salt);
  const { code, stdout } = await again.ended;
  expect([code, stdout]).toEqual([0, expect.stringContaining('running-42\ndone\n')]);
  expect(await install.leftovers()).toEqual([]);
});

test('Ctrl-C ends the step and leaves nothing behind', async () => {
  const spec = install.file('stopped.spec', `(${base} (run (shell "echo running-$((40+2)); sleep 3600")))`);
  const stopped = install.start('build', '-f', spec, 'project', '--keep-containerd');
  await stopped.printed('running-42');
  stopped.child.kill('SIGINT');
  expect((await stopped.ended).code).toBe(130);
  expect(await install.leftovers()).toEqual([]);
});

test('a second process on the same state is refused and told who holds it', async () => {
  const spec = install.file('held.spec', `(${base} (run (shell "echo running-$((40+2)); sleep 3600")))`);
  const holder = install.start('build', '-f', spec, 'project', '--keep-containerd');
  await holder.printed('running-42');
  const { code, stderr } = await install.run('cache', 'ls');
  expect([code, stderr]).toEqual([1, expect.stringContaining(String(holder.child.pid))]);
  holder.child.kill('SIGINT');
  await holder.ended;
});

test('healthcheck goes through its phases', async () => {
  const { code, stdout } = await install.run('healthcheck', '--json');
  const { ok, phases } = JSON.parse(stdout) as { ok: boolean; phases: { name: string }[] };
  const names = 'connect,resolve,pull,prepare,create,start,first output,exit,commit,remove';
  expect([code, ok, phases.map((phase) => phase.name).join()]).toEqual([0, true, names]);
  expect(await install.leftovers()).toEqual([]);
});

test('healthcheck names the phase that fails, and what to do', async () => {
  const { code, stdout } = await install.run('healthcheck', '--image', 'loam.local/none:latest');
  // There is no such registry, and where there is a resolver that knows every name, no such image.
  const failed = /^connect +ok.*\nresolve +failed.*\n {2}\S.*\n {2}\S.*\nNot healthy: loam\.local\/none:latest/;
  expect([code, stdout]).toEqual([1, expect.stringMatching(failed)]);
});

test('the private containerd ends with the command, also one that a killed command left, unless it is to be kept', async () => {
  const other = new TestInstall();
  try {
    await other.run('cache', 'ls');
    expect(await accepts(other.socket)).toBe(true);
    const { code } = await other.start('cache', 'ls').ended;
    expect([code, await accepts(other.socket)]).toEqual([0, false]);
  } finally {
    await other.close();
  }
});

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
