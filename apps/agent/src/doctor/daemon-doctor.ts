import type { Clock } from '@loam/base';
import type { DoctorReport } from '@loam/contracts';

import type { Host, HostOptions } from '../host.ts';
import type { Log } from '../log.ts';
import { agentVersion } from '../version.ts';
import { DoctorRounds } from './doctor-rounds.ts';

export interface DaemonDoctorOptions {
  readonly host: Host;
  readonly hostOptions: Pick<HostOptions, 'namespace' | 'windows'>;
  /** How many attempts run. */
  readonly running: () => number;
  readonly onReport: (report: DoctorReport) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const everyMs = 3_600_000;

/** The doctor inside an agent: it looks through the agent's own connection, and repairs nothing. */
export function daemonDoctor({ host, hostOptions, running, ...rest }: DaemonDoctorOptions): DoctorRounds {
  const { client, identity, stateDirectory, platform } = host;
  return new DoctorRounds({
    ...rest,
    everyMs,
    async examine() {
      // Loaded when it is wanted: an agent that starts has other things to do first.
      const [{ examine }, { allChecks }, { makeDoctorHost }] = await Promise.all([
        import('./examine.ts'),
        import('./checks/all-checks.ts'),
        import('./make-doctor-host.ts'),
      ]);
      const seen = makeDoctorHost({
        stateDirectory,
        namespace: hostOptions.namespace,
        agent: { kind: 'self', running },
        identity,
        windows: hostOptions.windows ?? {},
        async containerd() {
          await client.version();
          return client;
        },
        reconcile: () => Promise.reject(new Error('an agent that runs repairs nothing')),
      });
      const { os, architecture } = platform;
      return examine(seen, { checks: allChecks, version: agentVersion(), platform: `${os}/${architecture}` });
    },
  });
}
