import type { StoreHarness, HarnessFactory } from './harness.ts';

export function storeConformance(name: string, factory: HarnessFactory<StoreHarness>): void {
  void name;
  void factory;
}
