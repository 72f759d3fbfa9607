import type { EnrolmentToken } from '@loam/contracts';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import { Command } from '../../components/copy-button.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatDuration } from '../../components/format.ts';
import { useNow } from '../../components/use-now.ts';
import { api } from '../../data/api.ts';
import { usePools } from '../../data/queries.ts';

/** Makes a one-time token and shows the line to paste on the host. */
export function EnrolDialog({ onClose }: { onClose: () => void }) {
  const pools = usePools();
  const [pool, setPool] = useState('linux');
  const create = useMutation({ mutationFn: () => api.createEnrolmentToken({ pool }), meta: { quiet: true } });
  const valid = /^[a-z0-9][a-z0-9.-]{0,59}$/.test(pool);
  return (
    <Dialog
      title="Enrol an agent"
      onClose={onClose}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            {create.data === undefined ? 'Cancel' : 'Done'}
          </button>
          <button
            type="button"
            className={`button${create.data === undefined ? ' primary' : ''}`}
            disabled={!valid || create.isPending}
            onClick={() => create.mutate()}
          >
            {create.data === undefined ? 'Make a token' : 'Make another'}
          </button>
        </>
      }
    >
      <label className="field">
        <span className="label">Pool: agents in one pool can run the same builds</span>
        <input
          className="input"
          list="pools"
          value={pool}
          autoFocus
          aria-invalid={!valid}
          onChange={(event) => setPool(event.target.value)}
        />
        <datalist id="pools">
          {[...new Set([...pools, 'windows-ltsc2022', 'windows-ltsc2025'])].map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        {valid ? null : <span className="soft">Small letters, digits, dots and hyphens, up to 60.</span>}
      </label>
      {create.error ? <ErrorNotice error={create.error} /> : null}
      {create.data === undefined ? null : <Commands token={create.data} />}
    </Dialog>
  );
}

function Commands({ token }: { token: EnrolmentToken }) {
  const left = token.expiresAt - useNow();
  if (left <= 0) return <p className="notice tone-ochre">This token has expired. Make another.</p>;
  return (
    <div className="stack">
      <p>
        Paste one of these on the host, as root or administrator. The token works once, for pool{' '}
        <strong>{token.pool}</strong>, and is not shown again.
      </p>
      <div className="field">
        <span className="label">Linux</span>
        <Command text={token.commands.linux} what="the Linux command" />
      </div>
      <div className="field">
        <span className="label">Windows (PowerShell)</span>
        <Command text={token.commands.windows} what="the Windows command" />
      </div>
      <p className="soft numbers" role="timer">
        Expires in {formatDuration(left)}. The agent appears in the list as soon as it connects.
      </p>
    </div>
  );
}
