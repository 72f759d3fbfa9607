export { bundleAgent } from './bundle.ts';
export { makeExecutable } from './executable.ts';
export { platforms } from './platforms.ts';
