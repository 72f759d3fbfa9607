import type { Build } from '@loam/contracts';
import { useEffect, useEffectEvent, useRef } from 'react';

import { showToast } from '../../components/toasts.tsx';
import { useBuildOnce } from '../../data/queries.ts';
import type { PickedContext } from './context-picker.tsx';
import type { Draft } from './draft.ts';

interface Form {
  readonly change: (change: Partial<Draft>) => void;
  readonly setContext: (context: PickedContext | null) => void;
}

/** Fills the form from the build that `/new?from=` names, once: its spec, its files, and the ids of its secrets. */
export function useCopyOf(from: string | undefined, { change, setContext }: Form): void {
  const build = useBuildOnce(from);
  const done = useRef<string | null>(null);
  const fill = useEffectEvent(({ spec, title, pool, context, secretIds }: Build) => {
    change({
      spec,
      title: title ?? '',
      pool,
      secrets: secretIds.map((id) => ({ id, kind: 'value', text: '' })),
    });
    setContext(context === null ? null : { digest: context, folder: null });
    if (secretIds.length === 0) return;
    showToast({
      tone: 'water',
      title: 'Give its secrets again',
      text: 'Their values leave the farm for agents only, so they could not be copied.',
    });
  });
  useEffect(() => {
    if (build.data === undefined || done.current === build.data.id) return;
    done.current = build.data.id;
    fill(build.data);
  }, [build.data]);
}
