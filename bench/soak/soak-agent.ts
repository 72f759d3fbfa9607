import path from 'node:path';

import type { Farm } from '../../tools/farm/farm.ts';
import type { ManagedProcess, startProgram } from '../../tools/farm/process.ts';
import { pause } from './fault.ts';
import { pidIn, processesWith } from './processes.ts';
import { startProxy, type Proxy } from './proxy.ts';

const program = 'apps/agent/src/main.ts';

/** An agent that is killed and started again, and its way to the farm. */
export interface SoakAgent {
  readonly name: string;
  readonly state: string;
  readonly logFile: string;
  readonly proxy: Proxy;
  readonly process: () => ManagedProcess;
  readonly containerd: () => number | undefined;
  /** The shims of its containers. */
  readonly shims: () => number[];
  /** Starts it; what ends by itself is started again, as a service manager would. */
  start(): void;
  /** Ends it, and its proxy. */
  close(): Promise<void>;
}

export async function startAgent(options: {
  farm: Farm;
  name: string;
  slots: number;
  directory: string;
  startProgram: typeof startProgram;
  /** It ended by itself. */
  onEnd: (how: string) => void;
}): Promise<SoakAgent> {
  const { farm, name, directory } = options;
  const state = path.join(directory, `agent-${name}`);
  const logFile = path.join(directory, 'logs', `agent-${name}.log`);
  const { hostname, port } = new URL(farm.url);
  const proxy = await startProxy({ host: hostname, port: Number(port) });
  const command = async (...args: string[]): Promise<void> => {
    const { code } = await options.startProgram(program, { args, logFile }).ended;
    if (code !== 0) throw new Error(`loam-agent ${args[0]} ended with ${code}; its log is ${logFile}`);
  };
  const { token } = await farm.client.createEnrolmentToken({ pool: 'linux' });
  await command(
    'enrol',
    '--state',
    state,
    '--url',
    proxy.url,
    '--token',
    token,
    '--name',
    name,
    '--slots',
    String(options.slots),
  );
  // Makes the base image, too.
  await command('healthcheck', '--state', state);
  const socket = path.join(state, 'containerd', 'containerd.sock');
  let isStopping = false;
  let running = launch();

  function launch(): ManagedProcess {
    const started = options.startProgram(program, { args: ['run', '--state', state], logFile });
    void started.ended.then(async ({ how }) => {
      if (how === 'SIGKILL' || how === 'exit code 0' || isStopping) return;
      options.onEnd(how);
      await pause(1_000);
      if (!isStopping && running === started) running = launch();
    });
    return started;
  }

  return {
    name,
    state,
    logFile,
    proxy,
    process: () => running,
    containerd: () => pidIn(path.join(state, 'containerd', 'containerd.pid')),
    shims: () =>
      processesWith(socket)
        .filter(({ command: text }) => text.includes('containerd-shim'))
        .map(({ pid }) => pid),
    start: () => void (running = launch()),
    async close() {
      isStopping = true;
      await running.stop();
      await proxy.close();
    },
  };
}
