import { LoamError, type Clock, type IdSource } from '@loam/base';
import type { AgentRow, AuditEntry, Database, Identity } from '@loam/db';

import { hashToken, mintToken } from './tokens.ts';

/** How long a browser stays logged in, and a login link is good. */
const sessionMs = 30 * 24 * 3_600_000;
const loginCodeMs = 24 * 3_600_000;

/** The name under which the starter's own token goes; each start revokes the one before. */
const starterName = 'starter';

export interface AccessParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly ids: IdSource;
}

/** Who may come in, and what they are given to show. */
export class Access {
  readonly #parts: AccessParts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  /** Whose bearer token or session cookie this is. Throws `api.bad-token`, and `api.not-authenticated` without any. */
  async identify(credentials: { bearer?: string | undefined; cookie?: string | undefined }): Promise<Identity> {
    const { db, clock } = this.#parts;
    if (credentials.bearer !== undefined) {
      const identity = await db.access.byToken(hashToken(credentials.bearer), clock.now());
      if (identity === undefined) throw LoamError.of('api.bad-token', {});
      return identity;
    }
    const identity =
      credentials.cookie === undefined
        ? undefined
        : await db.access.bySession(hashToken(credentials.cookie), clock.now());
    if (identity === undefined) throw LoamError.of('api.not-authenticated', {});
    return identity;
  }

  /** The agent of a credential. Throws `api.agent-refused`. */
  async identifyAgent(credential: string | undefined): Promise<AgentRow> {
    const agent =
      credential === undefined ? undefined : await this.#parts.db.agents.byCredential(hashToken(credential));
    if (agent === undefined || agent.revokedAt !== null) throw LoamError.of('api.agent-refused', {});
    return agent;
  }

  /** A session for a browser, from a token. */
  async logIn(token: string): Promise<{ cookie: string; identity: Identity; maxAgeMs: number }> {
    const identity = await this.identify({ bearer: token });
    return { ...(await this.#openSession(identity)), identity };
  }

  /** A session for a browser, from the code of a login link. */
  async logInByCode(code: string): Promise<{ cookie: string; identity: Identity; maxAgeMs: number }> {
    const name = await this.#parts.db.access.useLoginCode(hashToken(code), this.#parts.clock.now());
    if (name === undefined) throw LoamError.of('api.bad-login-code', {});
    const identity = { name, tokenId: null };
    return { ...(await this.#openSession(identity)), identity };
  }

  async logOut(cookie: string): Promise<void> {
    await this.#parts.db.access.endSession(hashToken(cookie));
  }

  /** A code that logs one browser in, once. */
  async createLoginCode(name: string): Promise<{ code: string; expiresAt: number }> {
    const now = this.#parts.clock.now();
    const { token: code, hash } = mintToken('login');
    const expiresAt = now + loginCodeMs;
    await this.#parts.db.access.createLoginCode({ hash, name, createdAt: now, expiresAt });
    await this.#parts.db.access.audit(this.audit(name, 'login-link.created', name));
    return { code, expiresAt };
  }

  /** A new API token. It cannot be read again. */
  async createToken(name: string, actor: string): Promise<{ id: string; token: string; createdAt: number }> {
    const { token, hash } = mintToken('api');
    const id = this.#parts.ids.next('apiToken');
    const entry = this.audit(actor, 'token.created', id, { name });
    await this.#parts.db.access.createToken({ id, name, hash, createdAt: entry.at }, entry);
    return { id, token, createdAt: entry.at };
  }

  /** A token for whoever started this process, in the place of the one of the last start. */
  async renewStarterToken(): Promise<string> {
    await this.#parts.db.access.revokeTokensNamed(starterName, this.#parts.clock.now());
    return (await this.createToken(starterName, 'system')).token;
  }

  audit(actor: string, action: string, subject: string, detail?: Record<string, unknown>): AuditEntry {
    return {
      id: this.#parts.ids.next('audit'),
      at: this.#parts.clock.now(),
      actor,
      action,
      subject,
      ...(detail === undefined ? {} : { detail }),
    };
  }

  async #openSession(identity: Identity): Promise<{ cookie: string; maxAgeMs: number }> {
    const now = this.#parts.clock.now();
    const { token: cookie, hash } = mintToken('session');
    await this.#parts.db.access.createSession({ hash, ...identity, createdAt: now, expiresAt: now + sessionMs });
    await this.#parts.db.access.audit(this.audit(identity.name, 'session.opened', identity.tokenId ?? 'login link'));
    return { cookie, maxAgeMs: sessionMs };
  }
}

/** The farm's first API token, made when there is none; null when there is. It is the caller's to show, once. */
export async function ensureFirstToken(parts: AccessParts): Promise<string | null> {
  if (await parts.db.access.hasTokens()) return null;
  return (await new Access(parts).createToken('first', 'system')).token;
}
