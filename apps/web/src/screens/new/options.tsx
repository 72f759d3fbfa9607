import { usePools, useSecrets } from '../../data/queries.ts';
import type { Draft, SecretField } from './draft.ts';

interface OptionsProps {
  readonly draft: Draft;
  readonly change: (change: Partial<Draft>) => void;
}

/** Everything about a submission beside its spec and files. */
export function Options({ draft, change }: OptionsProps) {
  const pools = [...new Set([...usePools(), draft.pool])];
  return (
    <section className="panel options" aria-label="Options">
      <div className="options-row">
        <label className="field">
          <span className="label">Pool</span>
          <select className="input" value={draft.pool} onChange={(event) => change({ pool: event.target.value })}>
            {pools.map((pool) => (
              <option key={pool}>{pool}</option>
            ))}
          </select>
        </label>
        <label className="field grow">
          <span className="label">Title</span>
          <input
            className="input"
            value={draft.title}
            maxLength={200}
            placeholder="Shown in the list"
            onChange={(event) => change({ title: event.target.value })}
          />
        </label>
      </div>
      <Secrets secrets={draft.secrets} change={(secrets) => change({ secrets })} />
      <details>
        <summary className="soft">More</summary>
        <div className="options-row options-more">
          <label className="field">
            <span className="label">Priority, -100 to 100</span>
            <input
              className="input"
              type="number"
              min={-100}
              max={100}
              value={draft.priority}
              onChange={(event) => change({ priority: event.target.value })}
            />
          </label>
          <label className="field">
            <span className="label">Time limit, minutes</span>
            <input
              className="input"
              type="number"
              min={0}
              step="any"
              placeholder="none"
              value={draft.timeoutMinutes}
              onChange={(event) => change({ timeoutMinutes: event.target.value })}
            />
          </label>
        </div>
        <label className="row options-more">
          <input
            type="checkbox"
            checked={draft.refresh}
            onChange={(event) => change({ refresh: event.target.checked })}
          />
          Look base image tags up again
        </label>
      </details>
    </section>
  );
}

interface SecretsProps {
  readonly secrets: readonly SecretField[];
  readonly change: (secrets: readonly SecretField[]) => void;
}

function Secrets({ secrets, change }: SecretsProps) {
  const stored = useSecrets();
  const update = (at: number, next: Partial<SecretField>) => change(secrets.with(at, { ...secrets[at]!, ...next }));
  return (
    <div className="field">
      <span className="label">Secrets</span>
      {secrets.map((secret, at) => (
        <div className="options-row secret-row" key={at}>
          <input
            className="input mono"
            aria-label="Secret id, as in the spec"
            placeholder="id in the spec"
            value={secret.id}
            onChange={(event) => update(at, { id: event.target.value })}
          />
          <select
            className="input"
            aria-label="Where the value comes from"
            value={secret.kind}
            onChange={(event) => update(at, { kind: event.target.value === 'name' ? 'name' : 'value', text: '' })}
          >
            <option value="value">value</option>
            <option value="name">kept as</option>
          </select>
          {secret.kind === 'value' ? (
            <input
              className="input mono grow"
              type="password"
              autoComplete="off"
              aria-label="Value"
              placeholder="value"
              value={secret.text}
              onChange={(event) => update(at, { text: event.target.value })}
            />
          ) : (
            <select
              className="input mono grow"
              aria-label="Name of the kept secret"
              value={secret.text}
              onChange={(event) => update(at, { text: event.target.value })}
            >
              <option value="">choose…</option>
              {(stored.data ?? []).map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
          <button
            type="button"
            className="button quiet small"
            aria-label={`Remove secret ${secret.id}`}
            onClick={() => change(secrets.toSpliced(at, 1))}
          >
            Remove
          </button>
        </div>
      ))}
      <div>
        <button
          type="button"
          className="button small"
          onClick={() => change([...secrets, { id: '', kind: 'value', text: '' }])}
        >
          Add a secret
        </button>
      </div>
    </div>
  );
}
