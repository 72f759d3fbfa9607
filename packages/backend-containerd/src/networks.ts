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
  /** Removes what an earlier life left. Returns how many networks of runs that were. */
  reconcile(): Promise<number>;
  /** Runs that are connected now. */
  list(): Promise<string[]>;
}
