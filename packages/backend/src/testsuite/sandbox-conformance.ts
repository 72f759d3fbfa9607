import { describe } from 'vitest';

import type { HarnessFactory, SandboxHarness } from './harness.ts';
import { endingTests } from './sandbox-endings.ts';
import { processTests } from './sandbox-processes.ts';
import { useHarness } from './support.ts';

/**
 * The tests that every sandbox passes on a platform with a POSIX shell. Scripts keep to what the double's small shell also
 * understands, so both run the very same lines.
 */
export function sandboxConformance(name: string, factory: HarnessFactory<SandboxHarness>): void {
  describe(`sandbox conformance: ${name}`, () => {
    const open = useHarness(factory);
    describe('processes', () => processTests(open));
    describe('endings', () => endingTests(open));
  });
}
