import './enrol.css';

import type { CreateEnrolmentToken, Isolation } from '@loam/contracts';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import { Dialog } from '../../components/dialog.tsx';
import { ErrorBody, ErrorNotice } from '../../components/error-notice.tsx';
import { api } from '../../data/api.ts';
import { useDownloads, usePools } from '../../data/queries.ts';
import { EnrolLine } from './enrol-line.tsx';
import { defaultPools, HostTabs, platforms, type HostKind } from './host-tabs.tsx';

/** Makes a one-time token, shows the line to paste on the host, and waits until the agent is there. */
export function EnrolDialog({ onClose }: { onClose: () => void }) {
  const [kind, setKind] = useState<HostKind>('windows');
  const [typedPool, setPool] = useState<string | null>(null);
  const [slots, setSlots] = useState('2');
  const [isolation, setIsolation] = useState<Isolation>('process');
  const create = useMutation({
    mutationFn: (body: CreateEnrolmentToken) => api.createEnrolmentToken(body),
    meta: { quiet: true },
  });
  const missing = useMissingPackage(kind);
  const pool = typedPool ?? defaultPools[kind];
  const isPool = /^[a-z0-9][a-z0-9.-]{0,59}$/.test(pool);
  const isSlots = /^[1-9]\d{0,2}$/.test(slots) && Number(slots) <= 256;
  const token = create.data;
  const make = (): void => {
    if (!isPool || !isSlots || missing !== null || create.isPending) return;
    create.mutate({ pool, slots: Number(slots), ...(kind === 'windows' ? { isolation } : {}) });
  };
  return (
    <Dialog
      title="Add an agent"
      onClose={onClose}
      actions={
        token === undefined ? (
          <>
            <button type="button" className="button" onClick={onClose}>
              Cancel
            </button>
            <button
              type="submit"
              form="enrol-form"
              className="button primary"
              disabled={!isPool || !isSlots || missing !== null || create.isPending}
            >
              Make the line
            </button>
          </>
        ) : (
          <>
            <button type="button" className="button" onClick={() => create.reset()}>
              Make another
            </button>
            <button type="button" className="button primary" onClick={onClose}>
              Done
            </button>
          </>
        )
      }
    >
      {token === undefined ? (
        <>
          <HostTabs kind={kind} onChange={setKind} />
          <form
            id="enrol-form"
            role="tabpanel"
            aria-labelledby={`enrol-tab-${kind}`}
            className="stack"
            onSubmit={(event) => {
              event.preventDefault();
              make();
            }}
          >
            <p className="soft">{platforms[kind].needs}</p>
            <PoolField pool={pool} isValid={isPool} onChange={setPool} />
            <div className="enrol-pair">
              <label className="field">
                <span className="label">Builds at the same time</span>
                <input
                  className="input"
                  type="number"
                  min={1}
                  max={256}
                  value={slots}
                  aria-invalid={!isSlots}
                  onChange={(event) => setSlots(event.target.value)}
                />
              </label>
              {kind === 'windows' ? <IsolationField isolation={isolation} onChange={setIsolation} /> : null}
            </div>
            {missing === null ? null : <ErrorBody {...missing} />}
            {create.error ? <ErrorNotice error={create.error} /> : null}
          </form>
        </>
      ) : (
        <EnrolLine kind={kind} token={token} />
      )}
    </Dialog>
  );
}

/** Why there is nothing to install on such a host; null when there is, or when nobody knows yet. */
function useMissingPackage(kind: HostKind): { code: string; message: string; remedy: string } | null {
  const { data } = useDownloads();
  const { platform } = platforms[kind];
  if (data === undefined || platform === null) return null;
  if (data.problem !== null) return data.problem;
  if (data.items.some((item) => item.platform === platform)) return null;
  return {
    code: 'api.packages-missing',
    message: `This farm has no package of the agent for ${platforms[kind].label}.`,
    remedy: `Build it where the API runs: npm run package -- ${platform}. This page sees it by itself.`,
  };
}

function PoolField(props: { pool: string; isValid: boolean; onChange: (pool: string) => void }) {
  const pools = usePools();
  return (
    <label className="field">
      <span className="label">Pool: agents in one pool can run the same builds</span>
      <input
        className="input"
        list="pools"
        value={props.pool}
        aria-invalid={!props.isValid}
        aria-describedby={props.isValid ? undefined : 'pool-rule'}
        onChange={(event) => props.onChange(event.target.value)}
      />
      <datalist id="pools">
        {[...new Set([...pools, 'windows-ltsc2022', 'windows-ltsc2025'])].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {props.isValid ? null : (
        <span id="pool-rule" className="soft">
          Small letters, digits, dots and hyphens, up to 60.
        </span>
      )}
    </label>
  );
}

function IsolationField(props: { isolation: Isolation; onChange: (isolation: Isolation) => void }) {
  return (
    <label className="field">
      <span className="label">Isolation</span>
      <select
        className="input"
        value={props.isolation}
        onChange={(event) => props.onChange(event.target.value as Isolation)}
      >
        <option value="process">Process: fastest, images of this host’s build</option>
        <option value="process-or-hyperv">Process, or Hyper-V when the image needs it</option>
        <option value="hyperv">Hyper-V: every container in a virtual machine</option>
      </select>
    </label>
  );
}
