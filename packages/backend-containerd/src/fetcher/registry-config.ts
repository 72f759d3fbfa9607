import type { ImageReference } from './reference.ts';

/** How to reach one registry. */
export interface RegistryConfig {
  /** Hosts to ask first, in order. Each may have its own entry in the configuration. */
  readonly mirrors?: readonly string[];
  /** Speak HTTP. The default for loopback addresses only. */
  readonly plainHttp?: boolean;
  readonly credentials?: Credentials;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** By host as it stands in references: `docker.io`, `registry.example.com:5000`. */
export type RegistriesConfig = Readonly<Record<string, RegistryConfig>>;

/** A server that may have an image. */
export interface Endpoint {
  /** As in the configuration; names the endpoint in errors. */
  readonly host: string;
  readonly baseUrl: string;
  readonly credentials: Credentials | undefined;
}

/** Where to ask for an image: the mirrors of its registry, then the registry. */
export function endpointsOf(reference: Pick<ImageReference, 'host'>, config: RegistriesConfig): Endpoint[] {
  return [...(config[reference.host]?.mirrors ?? []), reference.host].map((host) => {
    const own = config[host];
    const scheme = (own?.plainHttp ?? isLoopback(host)) ? 'http' : 'https';
    const address = host === 'docker.io' ? 'registry-1.docker.io' : host;
    return { host, baseUrl: `${scheme}://${address}`, credentials: own?.credentials };
  });
}

function isLoopback(host: string): boolean {
  const name = host.replace(/:[0-9]+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127\.[0-9]+\.[0-9]+\.[0-9]+$/.test(name);
}
