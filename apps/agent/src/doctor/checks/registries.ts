import type { RegistriesConfig } from '@loam/backend-containerd';

import { defineCheck, ok, problem, warning, type Verdict } from '../check.ts';
import { askFarm, isFailure } from './farm-request.ts';

export interface RegistryFacts {
  readonly host: string;
  readonly status?: number;
  readonly failure?: string;
}

/** Only on request: it speaks to machines that are not the farm's. */
export const registriesReachable = defineCheck<readonly RegistryFacts[]>({
  id: 'registries.reachable',
  title: 'Registries',
  onRequest: true,
  gather(host) {
    const config = host.registries();
    const usual = host.os === 'windows' ? ['mcr.microsoft.com', 'docker.io'] : ['docker.io'];
    const hosts = new Set([
      ...usual,
      ...Object.keys(config),
      ...Object.values(config).flatMap((one) => one.mirrors ?? []),
    ]);
    return Promise.all(
      [...hosts].map(async (name) => {
        const answer = await askFarm(addressOf(name, config), () => host.clock.now());
        return isFailure(answer) ? { host: name, failure: answer.message } : { host: name, status: answer.status };
      }),
    );
  },
  judge: judgeRegistries,
});

function addressOf(host: string, config: RegistriesConfig): string {
  const isLoopback = /^(localhost|127\.[0-9.]+|\[::1\])(:\d+)?$/.test(host);
  const scheme = (config[host]?.plainHttp ?? isLoopback) ? 'http' : 'https';
  return `${scheme}://${host === 'docker.io' ? 'registry-1.docker.io' : host}/v2/`;
}

/** A registry that wants to know who asks (401) is there, too. */
export function judgeRegistries(registries: readonly RegistryFacts[]): Verdict {
  const isThere = ({ status }: RegistryFacts): boolean => status === 200 || status === 401;
  const seen = registries.map(({ host, status, failure }) => `${host}: ${failure ?? status}`).join('; ');
  const missing = registries.filter((one) => !isThere(one));
  if (missing.length === 0) return ok(`${seen}.`, 'Base images can be fetched.');
  const cost = 'Base images from there that are not held already cannot be fetched.';
  const remedy =
    'Check the network and proxy of the host; registries.json of the agent takes mirrors, and `loam-agent image import` takes images without a registry.';
  return missing.length === registries.length ? problem(`${seen}.`, cost, remedy) : warning(`${seen}.`, cost, remedy);
}
