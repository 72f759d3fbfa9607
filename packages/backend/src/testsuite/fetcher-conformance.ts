import type { FetcherHarness, HarnessFactory } from './harness.ts';

export function fetcherConformance(name: string, factory: HarnessFactory<FetcherHarness>): void {
  void name;
  void factory;
}
