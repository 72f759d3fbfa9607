import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { lockStateDirectory } from '@loam/backend-containerd';
import { isLoamError, LoamError, systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';

import { identityFile, makeStateDirectory } from '../config.ts';
import { socketPath, startPrivateContainerd } from '../containerd-process.ts';
import { openHost, windowsContainerd, type HostOptions } from '../host.ts';
import type { AgentPresence, DoctorHost } from './doctor-host.ts';
import { makeDoctorHost } from './make-doctor-host.ts';

/** What the doctor of the command line looks through. */
export interface OpenDoctor {
  /** Fresh for each examination. */
  host(): DoctorHost;
  close(): Promise<void>;
}

/**
 * Opens the host without the clean-up that every other command begins with: what an agent left behind is to be seen. Beside
 * an agent that runs it only looks; without one it takes the lock and starts the private containerd when a check needs it.
 * Throws `agent.needs-root`.
 */
export async function openDoctor(options: HostOptions): Promise<OpenDoctor> {
  const { stateDirectory, namespace } = options;
  const shared = options.containerd ?? (process.platform === 'win32' ? windowsContainerd : undefined);
  /** What has been opened, in order: closed in reverse. */
  let open: (() => Promise<void> | void)[] = [];
  let agent: AgentPresence = { kind: 'nobody' };
  let client: Promise<Containerd> | undefined;

  const close = async (): Promise<void> => {
    await client?.catch(() => undefined);
    client = undefined;
    for (const undo of open.splice(0).toReversed()) await undo();
  };
  const lock = async (): Promise<void> => {
    try {
      const taken = await lockStateDirectory(stateDirectory);
      open = [...open, () => taken.release()];
    } catch (error) {
      if (!isLoamError(error, 'backend.state-locked')) throw error;
      agent = { kind: 'another', pid: /\(pid (\w+)\)/.exec(error.message)?.[1] ?? 'unknown' };
    }
  };
  const containerd = (): Promise<Containerd> => {
    client ??= connectContainerd();
    client.catch(() => (client = undefined));
    return client;
  };
  const connectContainerd = async (): Promise<Containerd> => {
    const connected = connect({ address: shared ?? (await privateAddress()), namespace });
    open = [...open, () => connected.close()];
    await connected.version();
    return connected;
  };
  const privateAddress = async (): Promise<string> => {
    const directory = join(stateDirectory, 'containerd');
    if (agent.kind !== 'nobody') return `unix://${socketPath(directory)}`;
    const daemon = await startPrivateContainerd(directory, systemClock);
    if (!options.keepContainerd) open = [...open, () => daemon.stop()];
    return daemon.address;
  };

  if (process.platform !== 'win32' && process.getuid?.() !== 0) throw LoamError.of('agent.needs-root', {});
  makeStateDirectory(stateDirectory);
  await lock();
  return {
    close,
    host: () =>
      makeDoctorHost({
        stateDirectory,
        namespace,
        agent,
        identity: identityIn(stateDirectory),
        windows: options.windows ?? {},
        containerd,
        async reconcile() {
          await close();
          // The agent's own start is what knows how to clean up; it wants the lock and the daemon for itself.
          const host = await openHost(options);
          await host.close();
          await lock();
          return host.reconciled;
        },
      }),
  };
}

/** Not made here: an agent that never ran has left nothing. */
function identityIn(stateDirectory: string): string | undefined {
  try {
    return readFileSync(join(stateDirectory, identityFile), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
