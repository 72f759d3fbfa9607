import type { Diagnostic } from '@loam/contracts';

import { plural } from '../../components/format.ts';
import { Glyph } from '../../components/glyph.tsx';

interface ProblemsProps {
  readonly diagnostics: readonly Diagnostic[];
  readonly empty: boolean;
  readonly onPick: (offset: number) => void;
}

/** What is wrong with the spec, each with its place; picking one goes there. */
export function Problems({ diagnostics, empty, onPick }: ProblemsProps) {
  const errors = diagnostics.filter((each) => each.severity === 'error').length;
  const warnings = diagnostics.length - errors;
  const summary = empty
    ? 'An empty spec'
    : diagnostics.length === 0
      ? 'No problems'
      : [errors > 0 ? plural(errors, 'error') : '', warnings > 0 ? plural(warnings, 'warning') : '']
          .filter(Boolean)
          .join(', ');
  return (
    <div className="problems">
      <h2 className="problems-head soft" aria-live="polite">
        {summary}
      </h2>
      {diagnostics.length === 0 ? null : (
        <ul>
          {diagnostics.map((each) => (
            <li key={`${each.code} ${each.range.start.offset}`}>
              <button type="button" className="problem" onClick={() => onPick(each.range.start.offset)}>
                <Glyph
                  shape={each.severity === 'error' ? 'cross' : 'warning'}
                  tone={each.severity === 'error' ? 'clay' : 'ochre'}
                  label={each.severity}
                />
                <span className="numbers faint">
                  {each.range.start.line}:{each.range.start.column}
                </span>
                <span className="grow">
                  {each.message}
                  {each.hint === undefined ? null : <span className="soft"> {each.hint}</span>}
                </span>
                <code className="faint problem-code">{each.code}</code>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
