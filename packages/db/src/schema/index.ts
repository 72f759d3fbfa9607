export * from './access.ts';
export * from './agents.ts';
export * from './builds.ts';
export * from './cache.ts';
export * from './contexts.ts';
