import type { SubmitBuild } from '@loam/contracts';

import { encodeBase64Text } from '../../data/base64.ts';
import type { Draft } from './draft.ts';

/** The submission that a form describes. */
export function requestOf(draft: Draft, context: string | null): SubmitBuild {
  const minutes = Number(draft.timeoutMinutes);
  const priority = Math.trunc(Number(draft.priority));
  const secrets = draft.secrets
    .filter((secret) => secret.id !== '')
    .map((secret) =>
      secret.kind === 'name'
        ? { id: secret.id, name: secret.text }
        : { id: secret.id, value: encodeBase64Text(secret.text) },
    );
  return {
    spec: draft.spec,
    pool: draft.pool,
    ...(draft.title.trim() === '' ? {} : { title: draft.title.trim() }),
    ...(context === null ? {} : { context }),
    ...(secrets.length === 0 ? {} : { secrets }),
    ...(Number.isFinite(priority) && priority !== 0 ? { priority } : {}),
    ...(minutes > 0 ? { timeoutMs: Math.max(1000, Math.round(minutes * 60_000)) } : {}),
    ...(draft.refresh ? { refresh: true } : {}),
  };
}

/**
 * A key for one submission: pressing the button twice, or again after a lost answer, makes one build; a changed form
 * makes another.
 */
export function createKeyring(): { keyFor(body: SubmitBuild): string; forget(): void } {
  let last: { body: string; key: string } | null = null;
  return {
    keyFor(body) {
      const text = JSON.stringify(body);
      if (last?.body !== text) last = { body: text, key: randomKey() };
      return last.key;
    },
    forget() {
      last = null;
    },
  };
}

function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
