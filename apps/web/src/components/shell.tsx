import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import { createLiveSocket, LiveProvider, useLiveStatus } from '../data/live.tsx';
import { onUnauthorised } from '../data/api.ts';
import { meQuery } from '../data/queries.ts';
import { useKeys } from './keyboard.ts';
import { isDark, setTheme, useTheme } from './theme.ts';

const places = [
  { to: '/', label: 'Builds', exact: true },
  { to: '/new', label: 'New', more: ' build', exact: false },
  { to: '/cache', label: 'Cache', exact: false },
  { to: '/agents', label: 'Agents', exact: false },
  { to: '/settings', label: 'Settings', exact: false },
] as const;

/** The frame of every page but the login: navigation, live connection, banner. */
export function Shell() {
  const [socket] = useState(createLiveSocket);
  const navigate = useNavigate();
  useEffect(
    () =>
      onUnauthorised(() => {
        if (location.pathname === '/log-in') return;
        void navigate({ to: '/log-in', search: { next: location.pathname + location.search + location.hash } });
      }),
    [navigate],
  );
  const me = useQuery(meQuery);
  useKeys({ '/': focusSearch, c: () => void navigate({ to: '/new' }) });
  return (
    <LiveProvider socket={socket}>
      <div className="shell">
        <a
          className="skip-link"
          href="#main"
          onClick={(event) => (event.preventDefault(), document.getElementById('main')?.focus())}
        >
          Skip to content
        </a>
        <header className="topbar">
          <Link to="/" className="brand" aria-label="Loam, builds">
            <img src="/icon.svg" width="18" height="18" alt="" />
            <span>Loam</span>
          </Link>
          <nav className="nav grow" aria-label="Main">
            {places.map(({ to, label, exact, ...rest }) => (
              <Link key={to} to={to} activeOptions={{ exact, includeSearch: false }}>
                {label}
                {'more' in rest ? <span className="wide-only">{rest.more}</span> : null}
              </Link>
            ))}
          </nav>
          <LiveDot />
          <ThemeButton />
          {me.data === undefined ? null : <span className="faint wide-only">{me.data.name}</span>}
        </header>
        <OfflineBanner />
        <main id="main" tabIndex={-1} style={{ display: 'contents' }}>
          <Outlet />
        </main>
      </div>
    </LiveProvider>
  );
}

function focusSearch(): void {
  document.querySelector<HTMLInputElement>('input[type="search"]')?.focus();
}

const liveTexts = {
  open: { tone: 'moss', text: 'Live' },
  connecting: { tone: 'stone', text: 'Connecting' },
  down: { tone: 'ochre', text: 'Offline' },
} as const;

function LiveDot() {
  const { tone, text } = liveTexts[useLiveStatus()];
  return (
    <span className={`live-dot tone-${tone}`} title={`Live connection: ${text.toLowerCase()}`}>
      <span>{text}</span>
    </span>
  );
}

function OfflineBanner() {
  return useLiveStatus() === 'down' ? <DelayedBanner /> : null;
}

/** After a moment, so that a connection that comes back at once disturbs nobody. */
function DelayedBanner() {
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setVisible(true), 1500);
    return () => clearTimeout(timer);
  }, []);
  if (!visible) return null;
  return (
    <div className="banner" role="status">
      <strong>The live connection is down.</strong> What you see may be old. Trying again by itself; builds go on
      without this page.
    </div>
  );
}

function ThemeButton() {
  useTheme();
  const next = isDark() ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="button quiet small"
      aria-label={`Use the ${next} theme`}
      title={`Use the ${next} theme`}
      onClick={() => setTheme(next)}
    >
      <svg width="15" height="15" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.6" />
        <path d="M8 2a6 6 0 010 12z" fill="currentColor" />
      </svg>
    </button>
  );
}
