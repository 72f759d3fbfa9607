import { setFlagsFromString } from 'node:v8';

// Loading modules makes a lot of short-lived garbage, for which V8 would take memory that it never gives back. Flags only
// help if they are set before that happens, hence the import that is not at the top.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--max-semi-space-size=2');
// Node 24 can hang for good in process.exit(): it waits for threads in which Maglev compiles, and they for a garbage collection
// of the thread that waits. Without that compiler it does not.
setFlagsFromString('--no-maglev');
await import('./run.ts');
