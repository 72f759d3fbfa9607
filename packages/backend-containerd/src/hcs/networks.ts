/** The network of one run. */
export interface RunNetwork {
  /** The GUID of its HCN namespace, for `windows.network.networkNamespace`. */
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
