/** What this process has counted since its start, for `/metrics`. */
export interface Tally {
  attemptsLost: number;
  /** Stored under attempts that had the right to write them. */
  logBytes: number;
}

export function newTally(): Tally {
  return { attemptsLost: 0, logBytes: 0 };
}
