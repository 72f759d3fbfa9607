import { useEffect } from 'react';

/** Names the page in the tab and the history while mounted. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Loam`;
    return () => {
      document.title = 'Loam';
    };
  }, [title]);
}
