import { Dialog } from '../../components/dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatBytes, plural } from '../../components/format.ts';
import { showToast } from '../../components/toasts.tsx';
import { useCacheDeletion } from '../../data/queries.ts';

/** Shows what deleting a subtree would remove, and does it on a second word. */
export function DeleteDialog({ id, onClose }: { id: string; onClose: (done: boolean) => void }) {
  const { preview, remove } = useCacheDeletion(id, (done) => {
    showToast({
      tone: 'moss',
      title: `${plural(done.steps.length, 'snapshot')} deleted`,
      text: `${formatBytes(done.freedBytes)} freed or soon free.`,
    });
    onClose(true);
  });
  const plan = preview.data;
  return (
    <Dialog
      title="Delete snapshots"
      onClose={() => onClose(false)}
      actions={
        <>
          <button type="button" className="button" autoFocus onClick={() => onClose(false)}>
            Keep them
          </button>
          <button
            type="button"
            className="button primary danger"
            disabled={plan === undefined || remove.isPending}
            onClick={() => remove.mutate()}
          >
            {plan === undefined
              ? 'Delete'
              : `Delete ${plural(plan.steps.length, 'snapshot')}, ${formatBytes(plan.freedBytes)}`}
          </button>
        </>
      }
    >
      {preview.error ? <ErrorNotice error={preview.error} retry={preview.refetch} /> : null}
      {plan === undefined ? (
        preview.error ? null : (
          <p className="soft">Asking what this would remove…</p>
        )
      ) : (
        <>
          <p>
            This frees {formatBytes(plan.freedBytes)}. Builds that need these steps will run them again; nothing else
            changes.
          </p>
          <ul className="delete-steps">
            {plan.steps.slice(0, 200).map((step) => (
              <li key={step.id} className="row">
                <code className="truncate grow">{step.op.replace(/\s+/g, ' ')}</code>
                <span className="soft numbers">{formatBytes(step.sizeBytes)}</span>
              </li>
            ))}
          </ul>
          {plan.steps.length > 200 ? <p className="soft">and {plural(plan.steps.length - 200, 'more step')}.</p> : null}
          {plan.pendingAgents.length === 0 ? null : (
            <p className="notice tone-ochre">
              Not connected now: {plan.pendingAgents.join(', ')}. What they hold goes when they come back.
            </p>
          )}
        </>
      )}
    </Dialog>
  );
}
