import { shownError } from '../data/api.ts';

/** A failure in its place: what happened, what to do, and the code to look up. */
export function ErrorNotice({ error, retry }: { error: unknown; retry?: () => unknown }) {
  return <ErrorBody {...shownError(error)} {...(retry ? { retry } : {})} />;
}

interface ErrorBodyProps {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly extra?: string | undefined;
  readonly retry?: () => unknown;
}

export function ErrorBody({ code, message, remedy, extra, retry }: ErrorBodyProps) {
  return (
    <div className="notice tone-clay" role="alert">
      <div className="row spread wrap">
        <strong>{message}</strong>
        <code className="faint">
          {code}
          {extra === undefined ? '' : ` · ${extra}`}
        </code>
      </div>
      <div className="row spread">
        <p className="soft">{remedy}</p>
        {retry === undefined ? null : (
          <button type="button" className="button small" onClick={() => retry()}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}
