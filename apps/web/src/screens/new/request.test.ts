import { expect, it } from 'vitest';

import { emptyDraft } from './draft.ts';
import { createKeyring, requestOf } from './request.ts';

it('sends only what was filled in', () => {
  expect(requestOf({ ...emptyDraft, spec: '((from x))' }, null)).toEqual({ spec: '((from x))', pool: 'linux' });
});

it('sends secrets by value as base64 of UTF-8, or by name, and the timeout in milliseconds', () => {
  const draft = {
    ...emptyDraft,
    spec: 's',
    timeoutMinutes: '1.5',
    priority: '-5',
    secrets: [
      { id: 'a', kind: 'value', text: 'é' },
      { id: 'b', kind: 'name', text: 'kept' },
      { id: '', kind: 'value', text: 'unfinished' },
    ],
  } as const;
  expect(requestOf(draft, 'sha256:00')).toMatchObject({
    secrets: [
      { id: 'a', value: 'w6k=' },
      { id: 'b', name: 'kept' },
    ],
    timeoutMs: 90_000,
    priority: -5,
    context: 'sha256:00',
  });
});

it('keeps the key while the submission is the same', () => {
  const keys = createKeyring();
  const first = keys.keyFor({ spec: 'a' });
  expect(keys.keyFor({ spec: 'a' })).toBe(first);
  expect(keys.keyFor({ spec: 'b' })).not.toBe(first);
  keys.forget();
  expect(keys.keyFor({ spec: 'a' })).not.toBe(first);
});
