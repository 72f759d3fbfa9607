import { existsSync } from 'node:fs';

import { busyboxImageArchive, busyboxImageName } from '@loam/backend-containerd';
import { LoamError, toLoamError, type PublicError, type StepId } from '@loam/base';
import { manifestContext } from '@loam/context';
import { parseSpec, type Spec } from '@loam/spec';

import { openHost, type Host } from '../host.ts';
import { formatDuration, styleFor, wantsColour } from '../output/style.ts';
import { interruptSignal } from './interrupt.ts';
import { hostOptions, type CommonOptions } from './options.ts';

export interface HealthcheckOptions extends CommonOptions {
  readonly image?: string;
  readonly json?: boolean;
}

interface Phase {
  readonly name: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly error?: PublicError;
}

const busyboxPath = '/bin/busybox';
const greeting = 'healthcheck';

/** `loam-agent healthcheck`: a real little build, phase by phase. 0 when all is well, else 1. */
export async function healthcheck(options: HealthcheckOptions): Promise<number> {
  const phases: Phase[] = [];
  const style = styleFor(wantsColour(process.stdout));

  async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const done = (error?: unknown): void => {
      const durationMs = performance.now() - startedAt;
      const known = error === undefined ? undefined : toLoamError(error).toPublic();
      phases.push({ name, ok: known === undefined, durationMs, ...(known ? { error: known } : {}) });
      if (options.json) return;
      const mark = known ? style.red('failed') : style.green('ok');
      process.stdout.write(`${name.padEnd(20)} ${mark} ${style.dim(formatDuration(durationMs))}\n`);
      if (known) process.stdout.write(`  ${known.message}\n  ${known.remedy}\n`);
    };
    try {
      const result = await work();
      done();
      return result;
    } catch (error) {
      done(error);
      throw error;
    }
  }

  const { signal, dispose } = interruptSignal();
  let host: Host | undefined;
  try {
    const opened = await phase('containerd', () => openHost(hostOptions(options)));
    host = opened;
    const image = options.image ?? (await phase('base image', () => localBase(opened)));
    const nonce = `${process.pid}-${Math.round(performance.timeOrigin)}`;
    const stepId = await phase('build', () => tinyBuild(opened, specOf(image, nonce), signal, nonce));
    await phase('cache hit', () => tinyBuild(opened, specOf(image, nonce), signal, undefined));
    await phase('clean-up', () => opened.engine.removeStep(stepId));
  } catch (error) {
    // Shown with its phase.
    if (phases.at(-1)?.ok !== false) throw error;
  } finally {
    await host?.close();
    dispose();
  }
  const ok = phases.every((each) => each.ok);
  if (options.json) process.stdout.write(`${JSON.stringify({ ok, phases })}\n`);
  return ok ? 0 : 1;
}

/** A base image without a registry: made from this machine's busybox. */
async function localBase(host: Host): Promise<string> {
  if (host.platform.os !== 'linux' || !existsSync(busyboxPath)) {
    const reason = 'there is no busybox: apt-get install busybox-static, or name an image with --image';
    throw LoamError.of('agent.file-unreadable', { file: busyboxPath, reason });
  }
  await host.backend.fetcher.importArchive(busyboxImageArchive({ busyboxPath, platform: host.platform }), {});
  return busyboxImageName;
}

function specOf(image: string, nonce: string): Spec {
  const { spec } = parseSpec(`((from ${image}) (run (shell "echo ${greeting} ${nonce}")))`);
  if (!spec)
    throw LoamError.of('agent.bad-argument', { option: '--image', value: image, reason: 'it is no image name' });
  return spec;
}

/** Builds, and makes sure of what came out: `output` in the log, or without it a cache hit. */
async function tinyBuild(host: Host, spec: Spec, signal: AbortSignal, output: string | undefined): Promise<StepId> {
  let log = '';
  let lastStep = '';
  const outcome = await host.engine.build(
    {
      spec,
      context: manifestContext([], () => {
        throw new Error('an empty project has no files');
      }),
      secrets: new Map(),
      limits: {},
      owner: 'healthcheck',
    },
    (event) => {
      if (event.type === 'step-log') log += Buffer.from(event.bytes).toString();
      if (event.type === 'step-ended') lastStep = event.outcome;
    },
    signal,
  );
  if (outcome.kind === 'failed') throw outcome.error;
  if (outcome.kind === 'cancelled') throw LoamError.of('general.cancelled', {});
  const expected = output === undefined ? 'hit' : `${greeting} ${output}`;
  const got = output === undefined ? lastStep : log.trim();
  if (got !== expected) {
    throw LoamError.of('backend.run-failed', { reason: `expected "${expected}" and got "${got}"` });
  }
  return outcome.stepId;
}
