/** The network of one run. */
export interface RunNetwork {
  /** Where it is: a path on Linux, the GUID of an HCN namespace on Windows. */
  readonly namespace: string;
  /** Undoes it; idempotent. */
  release(): Promise<void>;
}

/** Connects containers to the host's NAT network. */
export interface NetworkProvider {
  connect(runId: string): Promise<RunNetwork>;
  /**
   * Removes what an earlier life left. Returns how many networks of runs that were. What cannot be removed does not keep the
   * agent from starting: it stays in the list, where the doctor sees it.
   */
  reconcile(): Promise<number>;
  /** Runs that are connected now. */
  list(): Promise<string[]>;
}

/** Undoes one after the other, whatever happens to those before. Returns how many could be undone. */
export async function undoEach(names: readonly string[], undo: (name: string) => Promise<void>): Promise<number> {
  let undone = 0;
  for (const name of names) {
    const isUndone = await undo(name).then(
      () => true,
      () => false,
    );
    if (isUndone) undone += 1;
  }
  return undone;
}
