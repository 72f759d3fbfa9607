import { describe } from 'vitest';

import type { HarnessFactory, StoreHarness } from './harness.ts';
import { cacheTests } from './store-caches.ts';
import { crashTests } from './store-crashes.ts';
import { layerTests } from './store-layers.ts';
import { snapshotTests } from './store-snapshots.ts';
import { useHarness } from './support.ts';
import { treeTests } from './store-trees.ts';

/** The tests that every store passes; a sentence of the port's docstring each. */
export function storeConformance(name: string, factory: HarnessFactory<StoreHarness>): void {
  describe(`store conformance: ${name}`, () => {
    const open = useHarness(factory);
    describe('snapshots', () => snapshotTests(open));
    describe('layers', () => layerTests(open));
    describe('trees', () => treeTests(open));
    describe('caches', () => cacheTests(open));
    describe('crashes', () => crashTests(open));
  });
}
