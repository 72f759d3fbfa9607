import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { startFarm } from '../tools/farm/farm.ts';
import { programEnv } from '../tools/lib/node.mjs';
import { dockerBuilds } from './lib/docker.ts';
import { farmBuilds } from './lib/farm-builds.ts';
import { describeIdle } from './lib/idle.ts';
import { execute, measureInTurns, record, type Measurement, type Subject } from './lib/measure.ts';
import { makeProject } from './lib/project.ts';

// 20 trivial steps and two copies, cold and warm: through `loam-agent build`, through the whole farm, beside `runc run`, `ctr run` and
// `docker build`, in turns. Whole processes are timed; "build time" is what loam-agent itself says, without its own start.
const base = 'loam.local/busybox:latest';
const steps = 20;
const rounds = 5;
const idleSeconds = 10;
const root = path.join(import.meta.dirname, '..');
const work = mkdtempSync(path.join(os.tmpdir(), 'loam-bench-'));
const perStep = { count: steps, unit: 'step' };
let serial = 0;

/** A text that no earlier run has used, so that what follows is cold. */
const fresh = (): string => `${process.pid}-${serial++}`;
const runSpec = (salt: string): string =>
  `((from ${base})\n${Array.from({ length: steps }, (_, index) => ` (run (shell ": ${salt} ${index}"))`).join('\n')})`;
const copySpec = (source: string, salt: string): string => `((from ${base})\n (copy (src ${source}) (dst "/${salt}")))`;

const project = makeProject(path.join(work, 'project'));
const farm = await startFarm({
  dataDirectory: path.join(work, 'data'),
  listen: '127.0.0.1:0',
  agent: true,
  say: (text) => process.stdout.write(`${text}\n`),
});
const socket = path.join(work, 'data', 'agent', 'containerd', 'containerd.sock');
const env = { ...programEnv(), LOAM_URL: farm.url, LOAM_TOKEN: farm.token };

function program(name: 'agent' | 'cli', ...args: string[]): Promise<string> {
  return execute(process.execPath, [path.join(root, 'apps', name, 'src/main.ts'), ...args], env);
}

/** On the farm's containerd, in a namespace and state of its own: no second daemon competes for the machine. */
function agent(command: string, ...args: string[]): Promise<string> {
  const own = ['--state', path.join(work, 'alone'), '--containerd', `unix://${socket}`, '--namespace', 'bench'];
  return program('agent', command, ...own, ...args);
}

function written(spec: string): string {
  const file = path.join(work, 'build.spec');
  writeFileSync(file, spec);
  return file;
}

const agentBuild = (spec: string): Promise<string> => agent('build', '-f', written(spec), project);
/** What the agent says that the build took. */
async function agentBuildTime(spec: string): Promise<number> {
  const lines = (await agent('build', '--json', '-f', written(spec), project)).trim().split('\n');
  return (JSON.parse(lines.at(-1) ?? '') as { durationMs: number }).durationMs;
}

/** The floors: what starting a container costs without a build around it. */
function floors(): Subject[] {
  const bundle = path.join(work, 'bundle');
  const rootfs = path.join(bundle, 'rootfs');
  mkdirSync(path.join(rootfs, 'bin'), { recursive: true });
  cpSync('/bin/busybox', path.join(rootfs, 'bin', 'true'));
  const repeat = (once: (id: string) => Promise<unknown>) => async (): Promise<void> => {
    for (let index = 0; index < steps; index++) await once(`floor-${fresh()}`);
  };
  const ctr = ['--address', socket, '--namespace', 'floor', 'run', '--rm', '--rootfs', rootfs];
  return [
    {
      what: '`runc run`, one after another',
      per: { count: steps, unit: 'run' },
      before: () =>
        execute('sh', ['-c', `cd '${bundle}' && rm -f config.json && runc spec && ${bundleIsTrue}`]).then(() => {}),
      body: repeat((id) => execute('runc', ['run', '--bundle', bundle, id])),
    },
    {
      what: '`ctr run --rm --rootfs`, one after another',
      per: { count: steps, unit: 'run' },
      body: repeat((id) => execute('ctr', [...ctr, id, '/bin/true'])),
    },
  ];
}
const bundleIsTrue = `sed -i 's/"terminal": true/"terminal": false/; s#"sh"#"/bin/true"#' config.json`;

async function measureRuns(): Promise<Measurement[]> {
  const docker = await dockerBuilds(work, steps);
  if (docker === undefined) notes.push('`docker build` was not measured: no Docker daemon with BuildKit answered.');
  let spec = '';
  const cold = (): void => void (spec = runSpec(fresh()));
  const name = `${steps} run steps`;
  await agentBuild(runSpec(fresh()));
  await builds.build(runSpec(fresh()));
  return measureInTurns(rounds, [
    ...floors(),
    {
      what: `loam-agent build: ${name}, cold, build time`,
      per: perStep,
      before: cold,
      body: () => agentBuildTime(spec),
    },
    { what: `loam-agent build: ${name}, warm, build time`, per: perStep, body: () => agentBuildTime(spec) },
    {
      what: `loam-agent build: ${name}, cold, whole process`,
      per: perStep,
      before: cold,
      body: () => agentBuild(spec),
    },
    { what: `loam-agent build: ${name}, warm, whole process`, per: perStep, body: () => agentBuild(spec) },
    { what: `farm: ${name}, cold, submit to result`, per: perStep, before: cold, body: () => builds.build(spec) },
    { what: `farm: ${name}, warm, submit to result`, per: perStep, body: () => builds.build(spec) },
    ...(docker === undefined
      ? []
      : [
          {
            what: `docker build: ${name}, cold, whole process`,
            per: perStep,
            before: () => docker.prepare(fresh()),
            body: docker.build,
          },
          { what: `docker build: ${name}, warm, whole process`, per: perStep, body: docker.build },
        ]),
  ]);
}

async function measureCopies(source: string, what: string): Promise<Measurement[]> {
  let spec = '';
  const cold = (): void => void (spec = copySpec(source, fresh()));
  const cli = (): Promise<string> => program('cli', 'build', '-f', written(spec), project);
  cold();
  // Hashes and uploads the files once; what follows only refers to them.
  const first = await measureInTurns(1, [
    { what: `loam-agent build: ${what}, first time, build time`, body: () => agentBuildTime(spec) },
    { what: `farm, loam build: ${what}, first time (upload), whole process`, body: cli },
  ]);
  const [last] = (await farm.client.builds({ limit: 1 })).items;
  const context = (last && (await farm.client.build(last.id)).context) ?? undefined;
  const later = await measureInTurns(3, [
    { what: `loam-agent build: ${what}, cold, build time`, before: cold, body: () => agentBuildTime(spec) },
    { what: `loam-agent build: ${what}, warm, build time`, body: () => agentBuildTime(spec) },
    { what: `loam-agent build: ${what}, warm, whole process`, body: () => agentBuild(spec) },
    { what: `farm: ${what}, cold, submit to result`, before: cold, body: () => builds.build(spec, context) },
    { what: `farm: ${what}, warm, submit to result`, body: () => builds.build(spec, context) },
    { what: `farm, loam build: ${what}, warm, whole process`, body: cli },
  ]);
  return [...first, ...later];
}

const notes: string[] = [];
const results: Measurement[] = [];
const builds = await farmBuilds(farm);
try {
  await agent('healthcheck');
  results.push(
    ...(await measureRuns()),
    ...(await measureCopies('small', 'copy of 1,000 × 1 KiB')),
    ...(await measureCopies('large', 'copy of 200 MB')),
  );
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  notes.push(
    ...(await Promise.all([
      describeIdle('agent', farm.agent()?.pid ?? 0, idleSeconds),
      describeIdle('API (without PostgreSQL)', farm.api().pid, idleSeconds),
    ])),
  );
} finally {
  builds.close();
  await farm.stop();
  rmSync(work, { recursive: true, force: true });
}
record('steps', results, notes);
