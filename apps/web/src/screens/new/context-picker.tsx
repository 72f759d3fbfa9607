import { useState, type ChangeEvent } from 'react';

import { Command } from '../../components/copy-button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatBytes, plural, shortId } from '../../components/format.ts';
import { uploadContext, type UploadProgress } from '../../data/upload-context.ts';

export interface PickedContext {
  readonly digest: string;
  /** Where it came from: a folder's name and what is in it; null for the context of the build that was copied. */
  readonly folder: { readonly name: string; readonly files: number; readonly bytes: number } | null;
}

interface ContextPickerProps {
  readonly picked: PickedContext | null;
  readonly onPick: (picked: PickedContext | null) => void;
  /** The spec copies something. */
  readonly needed: boolean;
}

/** The files that `copy` may read: a folder sent from the browser, or the command line for those who need more. */
export function ContextPicker({ picked, onPick, needed }: ContextPickerProps) {
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const secure = globalThis.isSecureContext;
  const pick = async (event: ChangeEvent<HTMLInputElement>) => {
    const files = [...(event.target.files ?? [])];
    event.target.value = '';
    if (files.length === 0) return;
    setError(null);
    try {
      onPick(await uploadContext(files, setProgress));
    } catch (problem) {
      setError(problem);
    } finally {
      setProgress(null);
    }
  };
  return (
    <section className="panel options" aria-label="Context">
      <div className="row">
        <h3 className="grow">Files for copy</h3>
        {picked === null ? null : (
          <button type="button" className="button quiet small" onClick={() => onPick(null)}>
            Remove
          </button>
        )}
        {secure ? (
          <label className="button small file-button">
            {picked === null ? 'Choose a folder' : 'Another folder'}
            <input
              type="file"
              className="visually-hidden"
              disabled={progress !== null}
              onChange={(event) => void pick(event)}
              {...{ webkitdirectory: '' }}
            />
          </label>
        ) : null}
      </div>
      {error ? <ErrorNotice error={error} /> : null}
      {progress !== null ? (
        <p className="soft numbers" role="status">
          {progress.phase} {plural(progress.files, 'file')}: {formatBytes(progress.doneBytes)} of{' '}
          {formatBytes(progress.totalBytes)}
          <progress
            className="upload"
            max={progress.totalBytes || 1}
            value={progress.doneBytes}
            aria-label={progress.phase}
          />
        </p>
      ) : picked !== null ? (
        <Picked picked={picked} />
      ) : (
        <>
          <p className={needed ? '' : 'soft'}>
            {secure
              ? needed
                ? 'The spec copies files. Choose their folder, or submit from it with the command line, which also keeps modes and links:'
                : 'Only specs that copy need files. The command line sends a folder with modes and links:'
              : 'Browsers hash files on https and localhost only. Submit from the folder with the command line:'}
          </p>
          <Command text="loam build -f loam.spec ." what="the command" />
        </>
      )}
    </section>
  );
}

function Picked({ picked: { folder, digest } }: { picked: PickedContext }) {
  if (folder === null) {
    return (
      <p className="soft">
        The files of the build that was copied, <code>{shortId(digest)}</code>.
      </p>
    );
  }
  return (
    <p className="soft">
      <strong>{folder.name}</strong>: {plural(folder.files, 'file')}, {formatBytes(folder.bytes)},{' '}
      <code>{shortId(digest)}</code>. Without .git; a browser cannot see which files may be executed or are links.
    </p>
  );
}
