import './settings.css';

import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';

import { Command } from '../../components/copy-button.tsx';
import { setTheme, useTheme, type Theme } from '../../components/theme.ts';
import { useTitle } from '../../components/use-title.ts';
import { showError } from '../../components/toasts.tsx';
import { closeSession } from '../../data/api.ts';
import { meQuery } from '../../data/queries.ts';
import { Secrets } from './secrets.tsx';

const themes: readonly { value: Theme; label: string }[] = [
  { value: 'system', label: 'As the system' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];

export function SettingsScreen() {
  useTitle('Settings');
  return (
    <div className="page settings">
      <div className="page-head">
        <h1>Settings</h1>
      </div>
      <Farm />
      <Secrets />
      <Appearance />
    </div>
  );
}

function Farm() {
  const me = useQuery(meQuery);
  const navigate = useNavigate();
  const logOut = () => {
    closeSession()
      .then(() => navigate({ to: '/log-in' }))
      .catch(showError);
  };
  return (
    <section className="panel">
      <div className="panel-head">
        <h2 className="grow">This farm</h2>
        <button type="button" className="button small" onClick={logOut}>
          Log out
        </button>
      </div>
      <div className="settings-body stack">
        <p className="soft">
          {me.data === undefined
            ? 'Asking the farm…'
            : `Loam ${me.data.version}${me.data.embedded ? ', all on one machine' : ''}. You are ${me.data.name}.`}
        </p>
        <div className="field">
          <span className="label">API address, for programs and the command line</span>
          <Command text={location.origin} what="the address" />
        </div>
        <div className="field">
          <span className="label">Use it from a terminal</span>
          <Command text={`LOAM_URL=${location.origin} LOAM_TOKEN=loam_… loam ls`} what="the command" />
        </div>
        <p>
          <a href="/docs">REST API reference</a>
        </p>
      </div>
    </section>
  );
}

function Appearance() {
  const theme = useTheme();
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>Theme</h2>
      </div>
      <div className="settings-body row" role="group" aria-label="Theme">
        {themes.map(({ value, label }) => (
          <button
            key={value}
            type="button"
            className="button"
            aria-pressed={theme === value}
            onClick={() => setTheme(value)}
          >
            {label}
          </button>
        ))}
      </div>
    </section>
  );
}
