import type { SandboxHarness, HarnessFactory } from './harness.ts';

export function sandboxConformance(name: string, factory: HarnessFactory<SandboxHarness>): void {
  void name;
  void factory;
}
