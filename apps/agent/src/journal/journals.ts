import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import type { Offer } from '@loam/contracts';
import { removeTreeIfFree } from '@loam/files';

import { AttemptJournal, type JournalOptions } from './attempt-journal.ts';
import { Reserve } from './reserve.ts';

/** The journals of this agent, one directory per attempt. */
export class Journals {
  readonly #directory: string;
  readonly #options: JournalOptions;
  readonly #reserve: Reserve;
  readonly #byAttempt = new Map<string, AttemptJournal>();
  /** Removed ones that somebody had open. Until they go they are of no harm: the API says that nobody waits for them. */
  readonly #held = new Set<AttemptJournal>();

  /** Opens those that an earlier process left. */
  constructor(directory: string, options: Omit<JournalOptions, 'reserve'> = {}) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
    this.#reserve = new Reserve(join(directory, 'reserve'));
    this.#reserve.fill();
    this.#options = { ...options, reserve: this.#reserve };
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = join(directory, entry.name);
      const journal = AttemptJournal.open(path, this.#options);
      // Without its offer an attempt was never accepted, so nobody waits for it.
      if (journal) this.#byAttempt.set(journal.attemptId, journal);
      else removeTreeIfFree(path);
    }
  }

  all(): AttemptJournal[] {
    return [...this.#byAttempt.values()];
  }

  get(attemptId: string): AttemptJournal | undefined {
    return this.#byAttempt.get(attemptId);
  }

  create(offer: Offer): AttemptJournal {
    if (!/^[A-Za-z0-9_-]{1,100}$/.test(offer.attemptId)) throw LoamError.of('agent.bad-offer', { what: 'attempt id' });
    this.#reserve.fill();
    const journal = AttemptJournal.create(join(this.#directory, offer.attemptId), offer, this.#options);
    this.#byAttempt.set(offer.attemptId, journal);
    // Their directory has another journal now.
    for (const held of this.#held) if (held.attemptId === offer.attemptId) this.#held.delete(held);
    return journal;
  }

  /** What of it somebody has open goes when the next one is removed. */
  remove(journal: AttemptJournal): void {
    if (this.#byAttempt.get(journal.attemptId) === journal) this.#byAttempt.delete(journal.attemptId);
    this.#held.add(journal);
    for (const held of this.#held) if (held.remove()) this.#held.delete(held);
  }

  close(): void {
    for (const journal of this.#byAttempt.values()) journal.close();
  }
}
