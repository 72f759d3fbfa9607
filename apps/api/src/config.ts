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
  /** The built web UI. */
  readonly webDirectory: string;
  /** The agent's packages, with their manifest. */
  readonly packagesDirectory: string;
  /** The certificate (PEM) of a private authority that vouches for the public address; hosts are told its digest. */
  readonly publicCaFile: string | null;
  readonly limits: Limits;
  readonly timing: Timing;
}

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
  LOAM_WEB_DIST: 'directory of the built web UI [apps/web/dist]',
  LOAM_AGENT_PACKAGES: "directory of the agent's packages, made by `npm run package` [dist/agent]",
  LOAM_PUBLIC_CA: 'certificate (PEM) of the private authority behind LOAM_PUBLIC_URL, for new agents to trust',
  LOAM_BLOB_BYTES_MAX: 'largest file of a context, in bytes [17179869184]',
  LOAM_AGENT_GRACE_MS: 'silence of an agent after which its builds go to others [60000, embedded 20000]',
  LOAM_STARTER: 'set to 1 by `npm start`: the ready line carries a token for the starter itself',
} as const;

export type Environment = Readonly<Partial<Record<keyof typeof settings, string>>>;

export function readConfig(
  environment: Environment,
  defaults: { webDirectory: string; packagesDirectory: string },
): Config {
  const databaseUrl = environment.LOAM_DATABASE_URL ?? null;
  const { host, port } = readListen(environment.LOAM_LISTEN ?? '127.0.0.1:7700');
  const publicUrl = readPublicUrl(environment.LOAM_PUBLIC_URL);
  return {
    databaseUrl,
    queueUrl: environment.LOAM_QUEUE_URL ?? null,
    dataDirectory: resolve(environment.LOAM_DATA ?? '.loam'),
    host,
    port,
    publicUrl,
    webDirectory: resolve(environment.LOAM_WEB_DIST ?? defaults.webDirectory),
    packagesDirectory: resolve(environment.LOAM_AGENT_PACKAGES ?? defaults.packagesDirectory),
    publicCaFile: environment.LOAM_PUBLIC_CA === undefined ? null : resolve(environment.LOAM_PUBLIC_CA),
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
