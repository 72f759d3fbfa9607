import { useEffect, useEffectEvent, useRef, useState } from 'react';

/** A secret on the form. Values are never written to the browser's storage. */
export interface SecretField {
  readonly id: string;
  /** `value`: given here; `name`: one that the farm keeps. */
  readonly kind: 'value' | 'name';
  readonly text: string;
}

export interface Draft {
  readonly spec: string;
  readonly title: string;
  readonly pool: string;
  readonly priority: string;
  readonly timeoutMinutes: string;
  readonly refresh: boolean;
  readonly secrets: readonly SecretField[];
}

export const emptyDraft: Draft = {
  spec: '',
  title: '',
  pool: 'linux',
  priority: '0',
  timeoutMinutes: '',
  refresh: false,
  secrets: [],
};

const key = 'loam.draft';

function load(): Draft {
  try {
    return { ...emptyDraft, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Draft>) };
  } catch {
    return emptyDraft;
  }
}

function save(draft: Draft): void {
  const secrets = draft.secrets.map((secret) => (secret.kind === 'value' ? { ...secret, text: '' } : secret));
  try {
    localStorage.setItem(key, JSON.stringify({ ...draft, secrets }));
  } catch {
    // Without storage the draft lives as long as the page.
  }
}

interface DraftState {
  /** As it is drawn. */
  readonly draft: Draft;
  readonly change: (change: Partial<Draft>) => void;
  /** With what was changed just now and is not drawn yet: on a busy machine a key or a click may come before that. */
  readonly latest: () => Draft;
}

/** What the user is writing; it survives a reload. */
export function useDraft(): DraftState {
  const [draft, setDraft] = useState(load);
  const now = useRef(draft);
  const latest = () => now.current;
  const keep = useEffectEvent(() => save(latest()));
  useEffect(() => {
    const timer = setTimeout(() => keep(), 300);
    return () => clearTimeout(timer);
  }, [draft]);
  useEffect(() => () => keep(), []);
  const change = (part: Partial<Draft>) => {
    now.current = { ...now.current, ...part };
    setDraft(now.current);
  };
  return { draft, change, latest };
}
