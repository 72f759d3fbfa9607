export { fetcherConformance } from './fetcher-conformance.ts';
export type { FetcherHarness, HarnessFactory, SandboxHarness, StoreHarness, TestImage } from './harness.ts';
export { sandboxConformance } from './sandbox-conformance.ts';
export { storeConformance } from './store-conformance.ts';
