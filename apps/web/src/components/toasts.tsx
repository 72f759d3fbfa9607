import { useSyncExternalStore } from 'react';

import { shownError } from '../data/api.ts';
import { Glyph, type Tone } from './glyph.tsx';

interface Toast {
  readonly tone: Tone;
  readonly title: string;
  readonly text?: string;
  readonly code?: string;
}
type Shown = Toast & { readonly id: number };

let shown: readonly Shown[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function change(next: readonly Shown[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

/** Shows a message at the page's corner. Good news leaves by itself; an error stays until it is put away. */
export function showToast(toast: Toast): void {
  const id = nextId++;
  change([...shown.filter((old) => old.title !== toast.title || old.text !== toast.text), { ...toast, id }].slice(-4));
  if (toast.tone !== 'clay') setTimeout(() => dismiss(id), 5000);
}

export function showError(error: unknown): void {
  const { code, message, remedy } = shownError(error);
  showToast({ tone: 'clay', title: message, text: remedy, code });
}

function dismiss(id: number): void {
  change(shown.filter((toast) => toast.id !== id));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const toasts = useSyncExternalStore(subscribe, () => shown);
  return (
    <div className="toasts" role="region" aria-label="Messages" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} className={`toast tone-${toast.tone}`} role={toast.tone === 'clay' ? 'alert' : 'status'}>
          <div className="grow">
            <strong>{toast.title}</strong>
            {toast.text === undefined ? null : <p className="soft">{toast.text}</p>}
            {toast.code === undefined ? null : <p className="faint mono">{toast.code}</p>}
          </div>
          <button type="button" className="button quiet small" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            <Glyph shape="cross" size={12} />
          </button>
        </div>
      ))}
    </div>
  );
}
