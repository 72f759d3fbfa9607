import './login.css';

import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState, type FormEvent } from 'react';

import { Command } from '../../components/copy-button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { useTitle } from '../../components/use-title.ts';
import { openSession } from '../../data/api.ts';

const route = getRouteApi('/log-in');

/** Trades an API token for a session cookie. The one-time links that `npm start` prints log in without this page. */
export function LoginScreen() {
  useTitle('Log in');
  const search = route.useSearch();
  const client = useQueryClient();
  const navigate = route.useNavigate();
  const [token, setToken] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const next = safeNext(search.next);

  const open = async (secret: string) => {
    setBusy(true);
    setError(null);
    try {
      await openSession(secret);
      client.clear();
      await navigate({ href: next, replace: true });
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void open(token.trim());
  };
  return (
    <main className="login">
      <form className="panel login-panel" onSubmit={submit}>
        <div className="row">
          <img src="/icon.svg" width="22" height="22" alt="" />
          <h1>Log in to Loam</h1>
        </div>
        <label className="field">
          <span className="label">API token</span>
          <input
            className="input mono"
            type="password"
            autoComplete="current-password"
            placeholder="loam_…"
            value={token}
            required
            autoFocus
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        {error ? <ErrorNotice error={error} /> : null}
        <button type="submit" className="button primary" disabled={busy || token.trim() === ''}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
        <div className="soft stack login-help">
          <p>
            The farm shows its first token once, when it starts for the first time. Where it runs on this machine, this
            prints a link that logs in:
          </p>
          <Command text="npm start" what="the command" />
        </div>
      </form>
    </main>
  );
}

/** Only places on this farm: a link must not lead elsewhere after a login. */
function safeNext(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])/.test(next) && !next.startsWith('/log-in') ? next : '/';
}
