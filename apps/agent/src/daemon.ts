import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { createIdSource, LoamError, sleep, systemClock, type Digest } from '@loam/base';
import { giveMemoryBackWhenIdle } from '@loam/daemon';
import { parseSpec, type Spec } from '@loam/spec';

import { Attempts } from './attempt/attempts.ts';
import { loggedEngine } from './attempt/logged-engine.ts';
import { runAttempt } from './attempt/run-attempt.ts';
import type { FarmConfig } from './config.ts';
import { gatherFacts } from './facts.ts';
import { daemonDoctor } from './doctor/daemon-doctor.ts';
import type { DoctorRounds } from './doctor/doctor-rounds.ts';
import { BlobCache } from './farm/blob-cache.ts';
import { FarmClient } from './farm/farm-client.ts';
import { remoteContext } from './farm/remote-context.ts';
import { openHost, type HostOptions } from './host.ts';
import { Journals } from './journal/journals.ts';
import type { Log } from './log.ts';
import { engineAnswers } from './session/answers.ts';
import { Backoff } from './session/backoff.ts';
import { webSocketLinks } from './session/link.ts';
import { Session } from './session/session.ts';

export interface DaemonOptions {
  readonly host: Omit<HostOptions, 'onWillNotDie' | 'warn'>;
  readonly farm: FarmConfig;
  readonly log: Log;
  /** The agent takes no more work until somebody has looked. */
  readonly onQuarantine?: (reason: string) => void;
}

export interface Daemon {
  /** Takes no more work, gives running attempts `graceMs` to end, and leaves the others to the next start. */
  stop(graceMs: number): Promise<void>;
}

/** How long the farm may take, at a stop, to acknowledge what has ended. */
const lastAcksMs = 2000;
const lastAcksPollMs = 20;

/** Starts the daemon: cleans up after its predecessor, then links to the farm and resumes what was under way. */
export async function startDaemon({
  host: hostOptions,
  farm: config,
  log,
  onQuarantine,
}: DaemonOptions): Promise<Daemon> {
  const clock = systemClock;
  const ids = createIdSource(clock);
  const host = await openHost({
    ...hostOptions,
    onWillNotDie: (error) => {
      attempts.isolate(error.message);
      onQuarantine?.(error.message);
    },
    warn: (what, error) => log.warn({ what, err: error }, 'clean-up failed; the next start tries again'),
    onLostRound: (round, error) =>
      log.warn({ ...round, err: error }, 'containerd was away during a build; it is built once more'),
    onContainerdRestart: (outcome) =>
      'pid' in outcome
        ? log.warn(outcome, 'containerd was gone; it has been started again')
        : log.error({ err: outcome.error }, 'containerd is gone and does not start; trying again'),
  });
  const { stateDirectory, engine, platform } = host;
  const journals = new Journals(join(stateDirectory, 'attempts'));
  const farm = new FarmClient({ ...config, clock, random: Math.random });
  const blobs = new BlobCache(join(stateDirectory, 'blobs'));

  const attempts: Attempts = new Attempts({
    journals,
    slots: config.slots,
    clock,
    log,
    onTold: (stepId) => host.logs.told(stepId),
    run: (journal, onRecord) =>
      runAttempt(journal, {
        engine: loggedEngine(engine, log),
        clock,
        ids,
        platform,
        onRecord,
        untold: (stepId) => host.logs.untold(stepId),
        sources: {
          parse: parseOffered,
          context: ({ context, fence }, signal) =>
            remoteContext(farm, blobs, context as Digest | null, { fence, signal }),
          secrets: ({ attemptId, fence }, signal) => farm.secrets(attemptId, { fence, signal }),
        },
      }),
  });
  const doctor: DoctorRounds = daemonDoctor({
    host,
    hostOptions,
    running: () => attempts.running,
    onReport: (report) => session.report(report),
    clock,
    log,
  });
  const session = new Session({
    openLink: webSocketLinks(config.url, config.credential),
    bootId: randomUUID(),
    slots: config.slots,
    attempts,
    answers: engineAnswers({
      engine,
      parse: parseOffered,
      context: (digest) => remoteContext(farm, blobs, digest, {}),
      facts: () => gatherFacts(host),
      platform,
      log,
    }),
    doctor,
    clock,
    // A farm on one machine takes builds from agents that are not back 20 s after its start: none may still be waiting then.
    backoff: new Backoff({ firstMs: 250, maxMs: 10_000, random: Math.random }),
    log,
  });
  session.start();
  doctor.request();
  const stopGivingBack = giveMemoryBackWhenIdle({ clock });

  return {
    async stop(graceMs) {
      await attempts.stop(graceMs);
      const deadline = clock.monotonic() + lastAcksMs;
      const isBehind = (): boolean => journals.all().some((journal) => journal.ackedSeq < journal.lastSeq);
      while (session.isLive && isBehind() && clock.monotonic() < deadline) await sleep(clock, lastAcksPollMs);
      doctor.stop();
      session.stop();
      stopGivingBack();
      journals.close();
      await host.close();
    },
  };
}

/** The API has checked the spec; one that does not parse here comes from another version. */
function parseOffered(text: string): Spec {
  const { spec } = parseSpec(text);
  if (!spec) throw LoamError.of('agent.bad-offer', { what: 'spec' });
  return spec;
}
