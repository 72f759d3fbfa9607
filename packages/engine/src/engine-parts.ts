import type { SnapshotName } from '@loam/backend';

import type { EngineOptions } from './api.ts';
import type { Executions } from './executions.ts';
import type { ShellMemory } from './step-resolver.ts';

/** What the builds and plans of one engine share. */
export interface EngineParts extends EngineOptions {
  readonly executions: Executions;
  readonly shells: ShellMemory;
  readonly pins: Pins;
  /** What base images take, with all their layers. Committed snapshots never change, so this is looked up once. */
  readonly baseSizes: Map<SnapshotName, number>;
}

/** Snapshots that running builds stand on: nobody may remove them now. */
export class Pins {
  readonly #counts = new Map<SnapshotName, number>();

  has(name: SnapshotName): boolean {
    return this.#counts.has(name);
  }

  /** The pins of one build. */
  open(): { add: (name: SnapshotName) => void; release: () => void } {
    const names = new Set<SnapshotName>();
    return {
      add: (name) => {
        if (names.has(name)) return;
        names.add(name);
        this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      },
      release: () => {
        for (const name of names) {
          const count = (this.#counts.get(name) ?? 1) - 1;
          if (count === 0) this.#counts.delete(name);
          else this.#counts.set(name, count);
        }
        names.clear();
      },
    };
  }
}
