import { isIP } from 'node:net';
import { resolve } from 'node:path';

import { LoamError } from '@loam/base';

/** How an API process is set up. All of it comes from the environment; the flags of `main.ts` name the same things. */
export interface Config {
  /** Null: an embedded PostgreSQL under `dataDirectory`. */
  readonly databaseUrl: string | null;
  /** Null: the same as the database. */
  readonly queueUrl: string | null;
  readonly dataDirectory: string;
  readonly host: string;
  readonly port: number;
  /** The address that people and agents reach it by, when that is not the one it listens on. */
  readonly publicUrl: string | null;
  /** Proxies that are believed when they say for whom they ask. */
  readonly trustedProxies: readonly string[];
  /** The built web UI. */
  readonly webDirectory: string;
  /** The agent's packages, with their manifest. */
  readonly packagesDirectory: string;
  /** The certificate (PEM) of a private authority that vouches for the public address; hosts are told its digest. */
  readonly publicCaFile: string | null;
  readonly logLevel: LogLevel;
  readonly limits: Limits;
  readonly timing: Timing;
}

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface Limits {
  readonly blobBytes: number;
  readonly jsonBytes: number;
  /** Lost attempts until a build is given up. */
  readonly maxAttempts: number;
}

export interface Timing {
  readonly heartbeatMs: number;
  /** How long an agent may be silent until its attempts are given to others. */
  readonly graceMs: number;
  /** How long an agent has to answer an offer. */
  readonly offerMs: number;
  /** How long an agent has to answer a question. */
  readonly requestMs: number;
  /** Contexts and blobs that nothing used for so long are dropped. */
  readonly keepUploadsMs: number;
}

/** Settings by their names in the environment, and in brackets what they are without. */
export const settings = {
  LOAM_DATABASE_URL: 'postgres://… [an embedded PostgreSQL below LOAM_DATA]',
  LOAM_QUEUE_URL: 'redis://… or postgres://… [the database]',
  LOAM_DATA: 'directory for logs, blobs and the key file [.loam]',
  LOAM_LISTEN: 'host:port [127.0.0.1:7700]',
  LOAM_PUBLIC_URL: 'address that agents and people use [the one it listens on]',
  LOAM_TRUSTED_PROXIES: 'proxies whose X-Forwarded-For counts: addresses, networks, loopback, uniquelocal [none]',
  LOAM_WEB_DIST: 'directory of the built web UI [apps/web/dist]',
  LOAM_AGENT_PACKAGES: "directory of the agent's packages, made by `npm run package` [dist/agent]",
  LOAM_PUBLIC_CA: 'certificate (PEM) of the private authority behind LOAM_PUBLIC_URL, for new agents to trust',
  LOAM_BLOB_BYTES_MAX: 'largest file of a context, in bytes [17179869184]',
  LOAM_AGENT_GRACE_MS: 'silence of an agent after which its builds go to others [60000, embedded 20000]',
  LOAM_LOG_LEVEL: 'debug, info, warn or error [info]',
  LOAM_STARTER: 'set to 1 by `npm start`: the ready line carries a token for the starter itself',
} as const;

export type Environment = Readonly<Partial<Record<keyof typeof settings, string>>>;

/** Throws `api.config-invalid`. What is set to nothing is not set: Compose files and units cannot leave a variable out. */
export function readConfig(given: Environment, defaults: { webDirectory: string; packagesDirectory: string }): Config {
  const environment: Environment = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  const databaseUrl = readDatabaseUrl(environment.LOAM_DATABASE_URL);
  const { host, port } = readListen(environment.LOAM_LISTEN ?? '127.0.0.1:7700');
  const publicUrl = readPublicUrl(environment.LOAM_PUBLIC_URL);
  return {
    databaseUrl,
    queueUrl: environment.LOAM_QUEUE_URL ?? null,
    dataDirectory: resolve(environment.LOAM_DATA ?? '.loam'),
    host,
    port,
    publicUrl,
    trustedProxies: readProxies(environment.LOAM_TRUSTED_PROXIES),
    webDirectory: resolve(environment.LOAM_WEB_DIST ?? defaults.webDirectory),
    packagesDirectory: resolve(environment.LOAM_AGENT_PACKAGES ?? defaults.packagesDirectory),
    publicCaFile: environment.LOAM_PUBLIC_CA === undefined ? null : resolve(environment.LOAM_PUBLIC_CA),
    logLevel: readLogLevel(environment.LOAM_LOG_LEVEL),
    limits: {
      ...defaultLimits,
      blobBytes: readNumber('LOAM_BLOB_BYTES_MAX', environment.LOAM_BLOB_BYTES_MAX, defaultLimits.blobBytes),
    },
    timing: {
      ...defaultTiming,
      graceMs: readNumber(
        'LOAM_AGENT_GRACE_MS',
        environment.LOAM_AGENT_GRACE_MS,
        databaseUrl === null ? 20_000 : 60_000,
      ),
    },
  };
}

export const defaultLimits: Limits = { blobBytes: 16 * 1024 ** 3, jsonBytes: 64 * 1024 ** 2, maxAttempts: 5 };

export const defaultTiming: Timing = {
  heartbeatMs: 5_000,
  graceMs: 60_000,
  offerMs: 10_000,
  requestMs: 30_000,
  keepUploadsMs: 7 * 24 * 3_600_000,
};

/** Not repeated in what is thrown: there is a password in it. */
function readDatabaseUrl(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (/^postgres(?:ql)?:$/.test(URL.parse(text)?.protocol ?? '')) return text;
  throw invalid(
    'LOAM_DATABASE_URL',
    'it is no postgres:// address (in a password write %40 for @, %2F for /, %23 for #)',
  );
}

function readProxies(text: string | undefined): string[] {
  const proxies = (text ?? '').split(',').flatMap((part) => part.trim() || []);
  for (const proxy of proxies) {
    const [, address = '', prefix = '1'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(proxy) ?? [];
    const isNetwork = Number(prefix) >= 1 && Number(prefix) <= (isIP(address) === 4 ? 32 : 128);
    if (['loopback', 'linklocal', 'uniquelocal'].includes(proxy) || (isIP(address) !== 0 && isNetwork)) continue;
    throw invalid('LOAM_TRUSTED_PROXIES', `"${proxy}" is no address and no network such as 10.0.0.0/8`);
  }
  return proxies;
}

function readLogLevel(text = 'info'): LogLevel {
  const level = logLevels.find((each) => each === text);
  if (level === undefined) throw invalid('LOAM_LOG_LEVEL', `"${text}" is none of ${logLevels.join(', ')}`);
  return level;
}

/** As an agent writes it down when it enrols; agents and the UI know no farm below a path. */
function readPublicUrl(text: string | undefined): string | null {
  if (text === undefined) return null;
  const url = URL.parse(text.replace(/\/+$/, ''));
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid('LOAM_PUBLIC_URL', 'it is no http(s) address');
  if (url.href !== `${url.origin}/`) throw invalid('LOAM_PUBLIC_URL', 'it has more than a host and a port');
  return url.origin;
}

function readListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw invalid('LOAM_LISTEN', `"${text}" is not host:port`);
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}

function readNumber(name: keyof typeof settings, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw invalid(name, `"${text}" is not a positive whole number`);
  return value;
}

function invalid(name: keyof typeof settings, reason: string): LoamError {
  return LoamError.of('api.config-invalid', { name, reason });
}
