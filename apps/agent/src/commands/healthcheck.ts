import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { release } from 'node:os';

import type { Network } from '@loam/backend';
import { baseImageTag, busyboxImageArchive, busyboxImageName, type IsolationPolicy } from '@loam/backend-containerd';
import { LoamError, systemClock } from '@loam/base';

import { checkHealth, Phases, type Phase } from '../healthcheck/check-health.ts';
import { openHost, type Host } from '../host.ts';
import { formatDuration, styleFor, wantsColour } from '../output/style.ts';
import { interruptSignal } from './interrupt.ts';
import { hostOptions, type CommonOptions } from './options.ts';

export interface HealthcheckOptions extends CommonOptions {
  readonly image?: string;
  readonly network: string;
  readonly refresh?: boolean;
  readonly json?: boolean;
}

const busyboxPath = '/bin/busybox';
const networks: readonly string[] = ['none', 'host', 'nat'] satisfies readonly Network[];

/** `loam-agent healthcheck`: one process on one base image, phase by phase. 0 when all is well, else 1. */
export async function healthcheck(options: HealthcheckOptions): Promise<number> {
  if (!networks.includes(options.network)) {
    const reason = `write ${networks.join(', ')}`;
    throw LoamError.of('agent.bad-argument', { option: '--network', value: options.network, reason });
  }
  const phases = new Phases(systemClock, options.json ? undefined : show);
  const { signal, dispose } = interruptSignal();
  let host: Host | undefined;
  let image = options.image;
  const startedAt = systemClock.monotonic();
  try {
    const settings = hostOptions(options);
    const opened = await phases.time('connect', () => openHost(settings));
    host = opened;
    image ??= await usualImage(opened, settings.windows.isolation ?? 'process');
    await checkHealth({
      backend: opened.backend,
      platform: opened.platform,
      image,
      refresh: options.refresh ?? false,
      network: options.network as Network,
      nonce: randomUUID(),
      clock: systemClock,
      signal,
      phases,
    });
  } catch (error) {
    // Shown with its phase.
    if (phases.ok) throw error;
  } finally {
    await host?.close();
    dispose();
  }
  const totalMs = systemClock.monotonic() - startedAt;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ok: phases.ok, image: image ?? null, totalMs, phases: phases.done })}\n`);
  } else {
    process.stdout.write(
      `${phases.ok ? 'Healthy' : 'Not healthy'}: ${image ?? 'no image'} in ${formatDuration(totalMs)}\n`,
    );
  }
  return phases.ok ? 0 : 1;
}

function show({ name, durationMs, error, hostSays }: Phase): void {
  const style = styleFor(wantsColour(process.stdout));
  const mark = error ? style.red('failed') : style.green('ok');
  process.stdout.write(`${name.padEnd(20)} ${mark} ${style.dim(formatDuration(durationMs))}\n`);
  if (error) process.stdout.write(`  ${error.message}\n  ${error.remedy}\n`);
  if (hostSays !== undefined) process.stdout.write(`  The host says: ${hostSays}\n`);
}

/** On Windows the Nano Server for the host's build; on Linux an image without a registry, made from this machine's busybox. */
async function usualImage(host: Host, policy: IsolationPolicy): Promise<string> {
  if (host.platform.os === 'windows') return nanoServer(release(), policy);
  if (!existsSync(busyboxPath)) {
    const reason = 'there is no busybox: apt-get install busybox-static, or name an image with --image';
    throw LoamError.of('agent.file-unreadable', { file: busyboxPath, reason });
  }
  await host.backend.fetcher.importArchive(busyboxImageArchive({ busyboxPath, platform: host.platform }), {});
  return busyboxImageName;
}

/** Tags of Nano Server are those of the long-term builds (reference §7.3). */
export function nanoServer(hostVersion: string, policy: IsolationPolicy): string {
  const tag = baseImageTag(hostVersion, policy);
  if (tag !== undefined) return `mcr.microsoft.com/windows/nanoserver:${tag}`;
  const reason = `no Nano Server is made for Windows ${hostVersion}; name an image that fits`;
  throw LoamError.of('agent.bad-argument', { option: '--image', value: '', reason });
}
