import { createHash, randomBytes } from 'node:crypto';

/** Prefixes of secrets: scanners find them, and no loggable id begins like one. */
const prefixes = { api: 'loam_', enrolment: 'loamenr_', agent: 'loamagt_', session: 'loamses_', login: 'loamlog_' };

/** A new secret of 256 random bits. What is stored is its hash; the secret itself is shown once. */
export function mintToken(kind: keyof typeof prefixes): { token: string; hash: string } {
  const token = prefixes[kind] + randomBytes(32).toString('base64url');
  return { token, hash: hashToken(token) };
}

/** SHA-256 in hex. A plain hash will do: the tokens are random, there is nothing to guess. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
