import type { EnrolmentToken } from '@loam/contracts';
import { useLayoutEffect, useRef } from 'react';

import { Command, CopyButton } from '../../components/copy-button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatBytes, formatDuration } from '../../components/format.ts';
import { Glyph } from '../../components/glyph.tsx';
import { useNow } from '../../components/use-now.ts';
import { useDownloads, useEnrolmentToken } from '../../data/queries.ts';
import type { HostKind } from './host-tabs.tsx';

/** What to paste for a token, and what became of it. */
export function EnrolLine({ kind, token }: { kind: HostKind; token: EnrolmentToken }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that led here is gone; without this, a keyboard would start at the top of the page again.
  useLayoutEffect(() => heading.current?.focus(), [token.id]);
  const left = token.expiresAt - useNow();
  const state = useEnrolmentToken(token.id, left > 0);
  const isUsed = state.data !== undefined && state.data.usedAt !== null;
  return (
    <>
      <h3 ref={heading} tabIndex={-1} className="enrol-heading">
        {isUsed ? 'The token was used' : left <= 0 ? 'Too late' : headings[kind]}
      </h3>
      {isUsed || left <= 0 ? null : (
        <>
          <p className="soft">
            It works once, for the pool <strong>{token.pool}</strong>, and is not shown again.
          </p>
          <Lines kind={kind} token={token} />
          <AddressNotice token={token} />
        </>
      )}
      <Progress left={left} state={state} />
    </>
  );
}

const headings: Record<HostKind, string> = {
  windows: 'Paste this into Windows PowerShell, opened as administrator',
  linux: 'Paste this into a root shell',
  manual: 'Start the agent with this token',
};

function Lines({ kind, token }: { kind: HostKind; token: EnrolmentToken }) {
  const { data } = useDownloads();
  if (kind !== 'manual') {
    const what = kind === 'windows' ? 'the line for Windows' : 'the line for Linux';
    return (
      <div className="command enrol-line">
        <code tabIndex={0} role="group" aria-label={what}>
          {token.commands[kind]}
        </code>
        <CopyButton text={token.commands[kind]} what={what} />
      </div>
    );
  }
  return (
    <>
      <div className="field">
        <span className="label">Token: the next command waits for it on standard input</span>
        <Command text={token.token} what="the token" />
      </div>
      <div className="field">
        <span className="label">An agent that is on its host, as root or administrator</span>
        <Command text={token.commands.manual} what="the command" />
      </div>
      <div className="field">
        <span className="label">A container, beside docker-compose.yml</span>
        <Command
          text={`LOAM_ENROL_TOKEN=${token.token} docker compose up -d agent`}
          what="the command for a container"
        />
      </div>
      {data === undefined || data.items.length === 0 ? null : (
        <ul className="enrol-downloads soft numbers">
          {data.items.map((item) => (
            <li key={item.name}>
              <a href={item.url} download={item.name}>
                {item.name}
              </a>{' '}
              {formatBytes(item.sizeBytes)}, SHA-256 <code title={item.sha256}>{item.sha256.slice(0, 12)}…</code>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function AddressNotice({ token: { url, isPlainHttp } }: { token: EnrolmentToken }) {
  if (isPlainHttp) {
    return (
      <p className="notice tone-ochre">
        <strong>Plain HTTP.</strong> Whoever sits between the host and {url} can read the token and replace the program.
        Put TLS in front of the farm and set LOAM_PUBLIC_URL; in a network that you trust, go on.
      </p>
    );
  }
  if (!/^(localhost|127\.|\[::1\])/.test(new URL(url).hostname)) return null;
  return (
    <p className="notice tone-ochre">
      <strong>{new URL(url).host} is this machine alone.</strong> For another host, set LOAM_PUBLIC_URL to an address
      that it can reach, and make the line again.
    </p>
  );
}

function Progress({ left, state }: { left: number; state: ReturnType<typeof useEnrolmentToken> }) {
  const agent = state.data?.agent ?? null;
  const isUsed = state.data !== undefined && state.data.usedAt !== null;
  return (
    <>
      <div role="status" className="enrol-progress">
        {agent?.state === 'online' ? (
          <p className="notice tone-moss enrol-row">
            <Glyph tone="moss" shape="check" />
            <span>
              <strong>{agent.name} is online</strong> in the pool {agent.pool}, with{' '}
              {agent.facts?.platform ?? 'no facts yet'}.
            </span>
          </p>
        ) : isUsed ? (
          <p className="enrol-row">
            <Glyph tone="ochre" shape="spinner" />
            <span>
              <strong>{agent?.name ?? 'An agent'}</strong> used the token and has not connected yet. If it stays so, ask
              on the host: <code>loam-agent service status</code>, <code>loam-agent doctor</code>.
            </span>
          </p>
        ) : left <= 0 ? (
          <p className="notice tone-ochre">
            <strong>This token has expired</strong> and was not used. Make another.
          </p>
        ) : (
          <p className="enrol-row soft">
            <Glyph tone="ochre" shape="spinner" />
            Waiting for the host.
          </p>
        )}
      </div>
      {isUsed || left <= 0 ? null : (
        <p className="soft numbers" role="timer">
          Expires in {formatDuration(left)}.
        </p>
      )}
      {state.error ? <ErrorNotice error={state.error} retry={state.refetch} /> : null}
    </>
  );
}
