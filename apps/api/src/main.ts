import { setFlagsFromString } from 'node:v8';

// Loading modules makes a lot of short-lived garbage, for which V8 would take memory that it never gives back. Flags only
// help if they are set before that happens, hence the import that is not at the top.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--max-semi-space-size=2');
await import('./run.ts');
