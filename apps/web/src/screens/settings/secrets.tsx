import { useState, type FormEvent } from 'react';

import { ErrorNotice } from '../../components/error-notice.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { Age } from '../../components/time.tsx';
import { showToast } from '../../components/toasts.tsx';
import { encodeBase64Text } from '../../data/base64.ts';
import { useSecretChange, useSecrets } from '../../data/queries.ts';

/** Secrets that the farm keeps. Values go in and never come out to a page. */
export function Secrets() {
  const secrets = useSecrets();
  const change = useSecretChange();
  const [deleting, setDeleting] = useState<string | null>(null);
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>Secrets</h2>
      </div>
      <div className="settings-body stack">
        <p className="soft">
          A build names a secret; only the agent that runs it gets the value, as a read-only file. Values are kept
          encrypted, never shown again, and are no part of any step id.
        </p>
        {secrets.error ? <ErrorNotice error={secrets.error} retry={secrets.refetch} /> : null}
        {secrets.data === undefined || secrets.data.length === 0 ? null : (
          <table className="settings-table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Changed</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {secrets.data.map((secret) => (
                <tr key={secret.name}>
                  <td className="mono">{secret.name}</td>
                  <td className="soft">
                    <Age at={secret.updatedAt} />
                  </td>
                  <td>
                    <button type="button" className="button small danger" onClick={() => setDeleting(secret.name)}>
                      Delete
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <SetSecret names={(secrets.data ?? []).map((secret) => secret.name)} />
      </div>
      {deleting === null ? null : (
        <Dialog
          title={`Delete the secret ${deleting}?`}
          onClose={() => setDeleting(null)}
          actions={
            <>
              <button type="button" className="button" autoFocus onClick={() => setDeleting(null)}>
                Keep it
              </button>
              <button
                type="button"
                className="button primary danger"
                onClick={() => change.mutate({ name: deleting, value: null }, { onSettled: () => setDeleting(null) })}
              >
                Delete
              </button>
            </>
          }
        >
          <p>Builds that name it will fail until it is set again. Steps already built stay cached.</p>
        </Dialog>
      )}
    </section>
  );
}

function SetSecret({ names }: { names: readonly string[] }) {
  const change = useSecretChange();
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(
      { name, value: encodeBase64Text(value) },
      {
        onSuccess: () => {
          showToast({ tone: 'moss', title: `Secret ${name} is set` });
          setName('');
          setValue('');
        },
      },
    );
  };
  return (
    <form className="secret-form" onSubmit={submit}>
      <label className="field">
        <span className="label">Name</span>
        <input
          className="input mono"
          value={name}
          required
          list="secret-names"
          autoComplete="off"
          onChange={(event) => setName(event.target.value)}
        />
        <datalist id="secret-names">
          {names.map((known) => (
            <option key={known} value={known} />
          ))}
        </datalist>
      </label>
      <label className="field grow">
        <span className="label">Value</span>
        <input
          className="input mono"
          type="password"
          value={value}
          required
          autoComplete="new-password"
          onChange={(event) => setValue(event.target.value)}
        />
      </label>
      <button type="submit" className="button" disabled={name === '' || value === '' || change.isPending}>
        {names.includes(name) ? 'Replace' : 'Set'}
      </button>
    </form>
  );
}
