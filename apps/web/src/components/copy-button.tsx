import { useEffect, useState } from 'react';

import { showToast } from './toasts.tsx';

/** Copies text and says that it did. `text` may be a function for what is costly to make. */
export function CopyButton({
  text,
  label = 'Copy',
  what,
}: {
  text: string | (() => string);
  label?: string;
  what?: string;
}) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className="button quiet small"
      aria-label={what === undefined ? undefined : `${label} ${what}`}
      onClick={() => {
        void copyText(typeof text === 'function' ? text() : text).then(setCopied);
      }}
    >
      <span aria-live="polite">{copied ? 'Copied' : label}</span>
    </button>
  );
}

/** Works on plain http too, where browsers do not offer the clipboard API. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.style.position = 'fixed';
    area.style.opacity = '0';
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done)
      showToast({
        tone: 'clay',
        title: 'The browser did not allow copying',
        text: 'Select the text and copy it by hand.',
      });
    return done;
  }
}

/** A command line to paste somewhere. */
export function Command({ text, what }: { text: string; what: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <CopyButton text={text} what={what} />
    </div>
  );
}
