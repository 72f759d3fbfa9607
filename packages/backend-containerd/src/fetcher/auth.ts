import type { Clock } from '@loam/base';

import type { Credentials, Endpoint } from './registry-config.ts';

/** What a `WWW-Authenticate` header asks for. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Reads the challenges of a `WWW-Authenticate` header. Source: RFC 9110 §11.6.1. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /\s*,?\s*(?:([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z0-9_-]+)(?=\s|,|$))/y;
  for (let match = token.exec(header); match !== null; match = token.exec(header)) {
    const [, name, quoted, bare, scheme] = match;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    else if (name !== undefined) {
      const current = challenges.at(-1);
      if (current) current.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
    }
  }
  return challenges;
}

export function basicAuthorization(credentials: Credentials): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** The token server said no, or cannot be used. */
export class AuthRefused extends Error {}

interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

const assumedLifeSeconds = 60;
const marginMs = 5_000;

/**
 * Authorization headers for registries: answers challenges, and remembers the answers per endpoint and scope.
 * Source: distribution-spec token authentication, in the order of reference §8.4.
 */
export class Authorizer {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The header that worked last time, as long as it lasts. */
  remembered(endpoint: Endpoint, scope: string): string | undefined {
    const token = this.#tokens.get(cacheKey(endpoint, scope));
    return token !== undefined && token.expiresAtMs > this.#clock.now() ? token.value : undefined;
  }

  /** The header that answers a 401. Throws AuthRefused when there is none. */
  async answer(endpoint: Endpoint, scope: string, wwwAuthenticate: string, signal?: AbortSignal): Promise<string> {
    this.#tokens.delete(cacheKey(endpoint, scope));
    const challenges = parseChallenges(wwwAuthenticate);
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    const token = bearer
      ? await this.#fetchToken(endpoint, scope, bearer.parameters, signal)
      : this.#basic(endpoint, challenges);
    this.#tokens.set(cacheKey(endpoint, scope), token);
    return token.value;
  }

  #basic(endpoint: Endpoint, challenges: readonly Challenge[]): Token {
    if (!challenges.some((challenge) => challenge.scheme === 'basic')) throw new AuthRefused('no known challenge');
    if (endpoint.credentials === undefined) throw new AuthRefused('credentials are needed');
    return { value: basicAuthorization(endpoint.credentials), expiresAtMs: Number.POSITIVE_INFINITY };
  }

  async #fetchToken(
    endpoint: Endpoint,
    scope: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const realm = parameters['realm'];
    if (realm === undefined || !URL.canParse(realm)) throw new AuthRefused('the challenge names no token server');
    // A plain-http token server would be told the password by anybody who can answer for the registry.
    if (new URL(realm).protocol === 'http:' && endpoint.baseUrl.startsWith('https:')) {
      throw new AuthRefused('the token server is not encrypted');
    }
    const query = new URLSearchParams({ scope: parameters['scope'] ?? scope });
    if (parameters['service'] !== undefined) query.set('service', parameters['service']);
    const options: RequestInit = signal === undefined ? {} : { signal };
    const { credentials } = endpoint;
    if (credentials !== undefined) {
      const form = new URLSearchParams(query);
      form.set('grant_type', 'password');
      form.set('client_id', 'loam');
      form.set('username', credentials.username);
      form.set('password', credentials.password);
      const response = await fetch(realm, { ...options, method: 'POST', body: form });
      if (response.ok) return this.#readToken(response);
      await response.body?.cancel();
      if (![400, 401, 404, 405].includes(response.status)) throw new AuthRefused(`token server: ${response.status}`);
    }
    const url = new URL(realm);
    for (const [name, value] of query) url.searchParams.set(name, value);
    const headers = credentials === undefined ? {} : { authorization: basicAuthorization(credentials) };
    const response = await fetch(url, { ...options, headers });
    if (response.ok) return this.#readToken(response);
    await response.body?.cancel();
    throw new AuthRefused(`token server: ${response.status}`);
  }

  async #readToken(response: Response): Promise<Token> {
    const json = (await response.json()) as { token?: unknown; access_token?: unknown; expires_in?: unknown };
    const value = json.token ?? json.access_token;
    if (typeof value !== 'string' || value === '') throw new AuthRefused('the token server sent no token');
    const lifeSeconds = typeof json.expires_in === 'number' ? json.expires_in : assumedLifeSeconds;
    return { value: `Bearer ${value}`, expiresAtMs: this.#clock.now() + lifeSeconds * 1000 - marginMs };
  }
}

function cacheKey(endpoint: Endpoint, scope: string): string {
  return `${endpoint.baseUrl} ${scope}`;
}
