import { useEffect, useEffectEvent } from 'react';

/** Whether keys go into a text, also inside a shadow tree such as the editor's. */
function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Single-key commands of a screen; silent while the user types, in dialogs, and with Ctrl, Alt or Meta. */
export function useKeys(keys: Readonly<Record<string, () => void>>): void {
  const actionOf = useEffectEvent((key: string) => keys[key]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event)) return;
      if (document.querySelector('dialog[open]') !== null) return;
      const action = actionOf(event.key);
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}
