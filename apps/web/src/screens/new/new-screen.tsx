import './new.css';

import type { Diagnostic } from '@loam/contracts';
import { checkSpec, formatSpec } from '@loam/spec';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useMemo, useState } from 'react';

import { ErrorNotice } from '../../components/error-notice.tsx';
import { useHeadingFocus } from '../../components/use-heading-focus.ts';
import { useTitle } from '../../components/use-title.ts';
import { diagnosticsOf } from '../../data/api.ts';
import { useSubmit } from '../../data/queries.ts';
import { ContextPicker, type PickedContext } from './context-picker.tsx';
import { useDraft } from './draft.ts';
import { Options } from './options.tsx';
import { PlanPanel } from './plan-panel.tsx';
import { Problems } from './problems.tsx';
import { copiesFromContext } from './copies-from-context.ts';
import { createKeyring, requestOf } from './request.ts';
import { sampleSpec } from './sample.ts';
import { useCopyOf } from './use-copy-of.ts';
import { useSettled } from './use-settled.ts';

const route = getRouteApi('/shell/new');
const SpecEditor = lazy(async () => ({ default: (await import('../../spec-editor/spec-editor.tsx')).SpecEditor }));

/** Write a spec, see what it would do, submit it. */
export function NewScreen() {
  useTitle('New build');
  const heading = useHeadingFocus('new');
  const navigate = useNavigate();
  const { draft, change, latest } = useDraft();
  const [context, setContext] = useState<PickedContext | null>(null);
  const [goTo, setGoTo] = useState<{ offset: number } | null>(null);
  const [keys] = useState(createKeyring);
  const submit = useSubmit();
  useCopyOf(route.useSearch().from, { change, setContext });

  const settled = useSettled(draft.spec, 120);
  const secretIds = draft.secrets.map((secret) => secret.id).join('\n');
  const checked = useMemo<ReturnType<typeof checkSpec>>(
    () =>
      settled.trim() === ''
        ? { diagnostics: [] }
        : checkSpec(settled, { secrets: secretIds.split('\n').filter(Boolean) }),
    [settled, secretIds],
  );
  const refusal = submit.variables?.body.spec === draft.spec ? submit.error : null;
  const diagnostics = useMemo(() => unique([...checked.diagnostics, ...diagnosticsOf(refusal)]), [checked, refusal]);
  const wrong = diagnostics.some((each) => each.severity === 'error');

  /** Whether there was an error to show. */
  const showFirstError = (): boolean => {
    const first = checkSpec(latest().spec).diagnostics.find((each) => each.severity === 'error');
    if (first !== undefined) setGoTo({ offset: first.range.start.offset });
    return first !== undefined;
  };
  const format = () => {
    const spec = formatSpec(latest().spec);
    if (spec === undefined) showFirstError();
    else change({ spec });
  };
  const send = () => {
    if (showFirstError() || submit.isPending) return;
    const body = requestOf(latest(), context?.digest ?? null);
    submit.mutate(
      { body, key: keys.keyFor(body) },
      {
        onSuccess: (build) => {
          keys.forget();
          void navigate({ to: '/builds/$id', params: { id: build.id } });
        },
      },
    );
  };
  return (
    <div
      className="page wide new-page"
      onKeyDown={(event) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.defaultPrevented) send();
      }}
    >
      <div className="page-head">
        <h1 ref={heading} tabIndex={-1}>
          New build
        </h1>
        <div className="row">
          {draft.spec.trim() === '' ? (
            <button type="button" className="button" onClick={() => change({ spec: sampleSpec })}>
              Start from a sample
            </button>
          ) : (
            <button type="button" className="button" onClick={format}>
              Format
            </button>
          )}
          <button
            type="button"
            className="button primary"
            disabled={wrong || draft.spec.trim() === '' || submit.isPending}
            onClick={send}
          >
            {submit.isPending ? 'Submitting…' : 'Build'}
          </button>
          <span className="faint new-keys">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </span>
        </div>
      </div>
      {submit.error ? <ErrorNotice error={submit.error} /> : null}
      <div className="new-columns">
        <section className="panel new-editor" aria-label="Spec">
          <Suspense fallback={<div className="spec-editor" role="status" aria-label="Loading the editor" />}>
            <SpecEditor
              value={draft.spec}
              onChange={(spec) => change({ spec })}
              onSubmit={send}
              diagnostics={diagnostics}
              goTo={goTo}
            />
          </Suspense>
          <Problems
            diagnostics={diagnostics}
            empty={draft.spec.trim() === ''}
            onPick={(offset) => setGoTo({ offset })}
          />
        </section>
        <div className="new-side">
          <PlanPanel
            spec={settled}
            pool={draft.pool}
            context={context?.digest ?? null}
            refresh={draft.refresh}
            wrong={wrong}
          />
          <Options draft={draft} change={change} />
          <ContextPicker
            picked={context}
            onPick={setContext}
            needed={checked.spec !== undefined && copiesFromContext(checked.spec)}
          />
        </div>
      </div>
    </div>
  );
}

function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter((each) => {
    const key = `${each.code} ${each.range.start.offset}`;
    return !seen.has(key) && seen.add(key);
  });
}
