import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { openFaults } from './soak/faults.ts';
import { judgeBuilds } from './soak/judge-builds.ts';
import { judgeFarm } from './soak/judge-farm.ts';
import { judgeHost, judgeStopped } from './soak/judge-hosts.ts';
import { complaints } from './soak/judge-words.ts';
import { readOptions } from './soak/options.ts';
import { residentBytes } from './soak/processes.ts';
import { Random } from './soak/random.ts';
import { judgeAgain } from './soak/judge-again.ts';
import { startSoakFarm } from './soak/soak-farm.ts';
import { openTraffic } from './soak/traffic.ts';

// A whole farm under load while its parts are killed, frozen and cut off; afterwards it is judged by what it promised.
const settleTimeoutMs = 240_000;
const options = readOptions(process.argv.slice(2));
const startedAt = performance.now();
const directory = mkdtempSync(path.join(os.tmpdir(), 'loam-soak-'));
const findings: string[] = [];

function say(text: string): void {
  process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)}s  ${text}\n`);
}

async function soakFarm(): Promise<void> {
  const random = new Random(options.seed);
  const soak = await startSoakFarm(directory, options, say);
  try {
    const traffic = openTraffic(soak.farm.client, random.fork(), options.seed);
    const faults = openFaults(soak, random.fork(), options.faults, say);
    const end = performance.now() + options.minutes * 60_000;
    const isOver = (): boolean => performance.now() > end;
    const memory = [describeMemory()];
    await Promise.all([traffic.run(isOver), faults.run(isOver)]);
    memory.push(describeMemory());
    say('Waiting for everything to end …');
    for (const { id, shape } of await traffic.settle(settleTimeoutMs)) {
      findings.push(`${shape.name} ${id} has not ended after ${settleTimeoutMs / 1000} s of peace`);
    }
    say('Judging …');
    findings.push(...traffic.findings, ...faults.findings);
    findings.push(...(await judgeBuilds(soak, traffic)));
    for (const agent of soak.agents) findings.push(...(await judgeHost(agent)));
    findings.push(...(await judgeFarm(soak, traffic)));
    findings.push(...(await judgeAgain(soak, traffic)));
    memory.push(describeMemory());
    const ends = Map.groupBy(traffic.submitted, (build) => build.end ?? 'open');
    say(`builds: ${[...ends].map(([name, builds]) => `${builds.length} ${name}`).join(', ')}`);
    say(`faults: ${[...faults.counts].map(([name, count]) => `${count} ${name}`).join(', ')}`);
    say(
      `calls made again: ${[...traffic.repeatedCalls()].map(([code, count]) => `${count} after ${code}`).join(', ')}`,
    );
    for (const text of memory) say(`memory: ${text}`);

    function describeMemory(): string {
      const of = (name: string, pid: number): string => `${name} ${Math.round(residentBytes(pid) / 2 ** 20)} MB`;
      const agents = soak.agents.map((agent) => of(agent.name, agent.process().pid));
      return [of('API', soak.farm.api().pid), ...agents].join(', ');
    }
  } finally {
    await soak.stop();
    findings.push(...judgeStopped(directory));
    for (const name of ['api', 'agent-loam', 'agent-clay']) {
      say(`complaints of ${name}:`);
      for (const kind of complaints(path.join(directory, 'logs', `${name}.log`))) process.stdout.write(`    ${kind}\n`);
    }
  }
}

say(`seed ${options.seed}, ${options.minutes} minutes, queue on ${options.queue}, in ${directory}`);
await soakFarm().catch((error: unknown) => void findings.push(`the soak itself: ${(error as Error).stack}`));
for (const finding of findings) say(`FINDING ${finding}`);
say(findings.length === 0 ? 'All promises were kept.' : `${findings.length} findings (seed ${options.seed}).`);
process.exitCode = findings.length === 0 ? 0 : 1;
if (findings.length === 0 && !options.keep) rmSync(directory, { recursive: true, force: true });
if (existsSync(directory)) say(`What it left is in ${directory}`);
process.exit();
