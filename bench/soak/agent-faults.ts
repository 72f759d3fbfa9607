import { freeze, pause, type Fault } from './fault.ts';
import { family, signal } from './processes.ts';
import type { SoakAgent } from './soak-agent.ts';
import { graceMs } from './soak-farm.ts';

/** What can happen to an agent, its containerd and its way to the farm. */
export function agentFaults(agent: SoakAgent): Fault[] {
  const { name, proxy } = agent;
  const fault = (what: string, weight: number, make: Fault['make'], target = name): Fault => ({
    name: what,
    target,
    weight,
    make,
  });
  const link = `${name}'s link`;
  const killAgent = async (): Promise<void> => {
    signal(agent.process().pid, 'SIGKILL');
    await agent.process().ended;
  };
  return [
    fault('kill-agent', 4, async (random) => {
      await killAgent();
      await pause(random.between(0, 3_000));
      agent.start();
    }),
    fault('stop-agent', 2, async () => {
      await agent.process().stop();
      agent.start();
    }),
    fault('lose-agent', 1, async (random) => {
      await killAgent();
      await pause(graceMs + random.between(0, 6_000));
      agent.start();
    }),
    fault('freeze-agent', 2, (random) => freeze([agent.process().pid], random.between(500, graceMs + 6_000))),
    fault('kill-containerd', 3, async () => {
      const pid = agent.containerd();
      if (pid !== undefined) signal(pid, 'SIGKILL');
    }),
    fault('freeze-containerd', 2, async (random) => {
      const pid = agent.containerd();
      if (pid !== undefined) await freeze([pid], random.between(500, 8_000));
    }),
    fault('kill-host', 2, async (random) => {
      const doomed = [agent.containerd() ?? [], agent.shims().flatMap(family)].flat();
      signal(agent.process().pid, 'SIGKILL');
      for (const pid of doomed) signal(pid, 'SIGKILL');
      await agent.process().ended;
      await pause(random.between(0, 3_000));
      agent.start();
    }),
    fault('cut-link', 4, async () => proxy.cut(), link),
    fault(
      'silent-link',
      2,
      async (random) => {
        proxy.setSilent(true);
        await pause(random.between(500, graceMs + 6_000));
        proxy.setSilent(false);
      },
      link,
    ),
    fault(
      'refuse-link',
      2,
      async (random) => {
        proxy.setRefusing(true);
        await pause(random.between(500, graceMs + 3_000));
        proxy.setRefusing(false);
      },
      link,
    ),
  ];
}
