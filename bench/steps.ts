import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { startFarm, type Farm } from '../tools/farm/farm.ts';
import { execute, measure, record, type Measurement } from './lib/measure.ts';
import { measureDocker } from './lib/docker.ts';

// 20 trivial steps and two copies, cold and warm: through `loam-agent build`, through the whole farm, beside `ctr run` and
// `docker build` in the same run. What is timed is a whole process for the commands, and submit to result for the farm.
const base = 'loam.local/busybox:latest';
const steps = 20;
const runs = 5;
const copyRuns = 3;
const root = path.join(import.meta.dirname, '..');
const work = mkdtempSync(path.join(os.tmpdir(), 'loam-bench-'));
const results: Measurement[] = [];
let serial = 0;

/** A text that no earlier run has used, so that what follows is cold. */
const fresh = (): string => `${process.pid}-${serial++}`;
const runSpec = (salt: string): string =>
  `((from ${base})\n${Array.from({ length: steps }, (_, index) => ` (run (shell ": ${salt} ${index}"))`).join('\n')})`;
const copySpec = (source: string, salt: string): string => `((from ${base})\n (copy (src ${source}) (dst "/${salt}")))`;

function write(name: string, text: string): string {
  const file = path.join(work, name);
  writeFileSync(file, text);
  return file;
}

function makeProject(): string {
  const project = path.join(work, 'project');
  mkdirSync(path.join(project, 'small'), { recursive: true });
  for (let index = 0; index < 1000; index++) {
    writeFileSync(path.join(project, 'small', `file-${index}`), Buffer.alloc(1024, `${index} `));
  }
  mkdirSync(path.join(project, 'large'));
  const block = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < 4; index++) {
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE((at * 2654435761 + index) >>> 0, at);
    writeFileSync(path.join(project, 'large', `part-${index}`), Buffer.concat(Array.from({ length: 50 }, () => block)));
  }
  return project;
}

const agentProgram = path.join(root, 'apps/agent/src/main.ts');
const copies = [
  { source: 'small', what: 'copy of 1,000 × 1 KiB' },
  { source: 'large', what: 'copy of 200 MB' },
];

async function measureAgent(project: string): Promise<void> {
  const state = path.join(work, 'data', 'agent');
  const address = `unix://${path.join(state, 'containerd', 'containerd.sock')}`;
  const own = path.join(work, 'alone');
  // The farm's containerd, in a namespace and state of its own: no second daemon competes for the machine.
  const common = ['--state', own, '--containerd', address, '--namespace', 'bench'];
  const build = (spec: string): Promise<string> =>
    execute(process.execPath, [agentProgram, 'build', ...common, '-f', spec, project]);
  await execute(process.execPath, [agentProgram, 'healthcheck', ...common]);
  await build(write('warm-up.spec', runSpec(fresh())));

  const per = { count: steps, unit: 'step' };
  let last = '';
  results.push(
    await measure(`loam-agent build: ${steps} run steps, cold`, runs, () => build(last).then(() => undefined), {
      per,
      before: async () => void (last = write('cold.spec', runSpec(fresh()))),
    }),
    await measure(`loam-agent build: ${steps} run steps, warm`, runs, () => build(last).then(() => undefined), { per }),
  );
  for (const { source, what } of copies) {
    await build(write('copy.spec', copySpec(source, fresh())));
    results.push(
      await measure(`loam-agent build: ${what}, cold`, copyRuns, () => build(last).then(() => undefined), {
        before: async () => void (last = write('copy.spec', copySpec(source, fresh()))),
      }),
      await measure(`loam-agent build: ${what}, warm`, copyRuns, () => build(last).then(() => undefined)),
    );
  }
}

async function measureFarm(farm: Farm, project: string): Promise<void> {
  const live = new URL('/api/v1/live', farm.url.replace(/^http/, 'ws'));

  /** Submits, and resolves when the live socket tells that the build has ended: what a program sees. */
  async function build(spec: string): Promise<void> {
    const socket = new WebSocket(live, { headers: { authorization: `Bearer ${farm.token}` } } as unknown as string[]);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error('the live socket did not open'));
    });
    const ended = new Promise<void>((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(String(data)) as { type: string; build?: { state: string; error: unknown } };
        if (frame.type !== 'build' || frame.build === undefined) return;
        if (frame.build.state === 'succeeded') resolve();
        if (['failed', 'cancelled'].includes(frame.build.state)) reject(new Error(JSON.stringify(frame.build.error)));
      };
    });
    const submitted = await farm.client.submit({ spec });
    socket.send(JSON.stringify({ type: 'watch-build', buildId: submitted.id }));
    await ended;
    socket.close();
  }

  const per = { count: steps, unit: 'step' };
  let last = '';
  await build(runSpec(fresh()));
  results.push(
    await measure(`farm: ${steps} run steps, cold, submit to result`, runs, () => build(last), {
      per,
      before: async () => void (last = runSpec(fresh())),
    }),
    await measure(`farm: ${steps} run steps, warm, submit to result`, runs, () => build(last), { per }),
  );

  const cli = (spec: string): Promise<string> =>
    execute(process.execPath, [path.join(root, 'apps/cli/src/main.ts'), 'build', '-f', spec, project], {
      LOAM_URL: farm.url,
      LOAM_TOKEN: farm.token,
    });
  for (const { source, what } of copies) {
    await cli(write('copy.spec', copySpec(source, fresh())));
    results.push(
      await measure(
        `farm, loam build: ${what}, files uploaded before, cold`,
        copyRuns,
        () => cli(last).then(() => undefined),
        {
          before: async () => void (last = write('copy.spec', copySpec(source, fresh()))),
        },
      ),
      await measure(`farm, loam build: ${what}, warm`, copyRuns, () => cli(last).then(() => undefined)),
    );
  }
}

async function measureCtr(): Promise<void> {
  const socket = path.join(work, 'data', 'agent', 'containerd', 'containerd.sock');
  const ctr = (...args: string[]): Promise<string> =>
    execute('ctr', ['--address', socket, '--namespace', 'floor', ...args]);
  const layer = path.join(work, 'rootfs');
  mkdirSync(path.join(layer, 'bin'), { recursive: true });
  await execute('cp', ['/bin/busybox', path.join(layer, 'bin', 'true')]);
  results.push(
    await measure(
      'ctr run --rm --rootfs, one after another',
      runs,
      async () => {
        for (let index = 0; index < steps; index++)
          await ctr('run', '--rm', '--rootfs', layer, `floor-${fresh()}`, '/bin/true');
      },
      { per: { count: steps, unit: 'run' } },
    ),
  );
}

const project = makeProject();
const farm = await startFarm({
  dataDirectory: path.join(work, 'data'),
  listen: '127.0.0.1:0',
  agent: true,
  say: (text) => process.stdout.write(`${text}\n`),
});
const notes: string[] = [];
try {
  await measureCtr();
  await measureAgent(project);
  await measureFarm(farm, project);
  const docker = await measureDocker(work, steps, runs);
  if (docker === undefined) notes.push('`docker build` was not measured: no Docker daemon answered.');
  else results.push(...docker);
} finally {
  await farm.stop();
  rmSync(work, { recursive: true, force: true });
}
record('steps', results, notes);
