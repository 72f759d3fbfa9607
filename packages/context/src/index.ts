export { openLocalContext, type LocalContextOptions } from './local-context.ts';
export { contextManifest, manifestContext } from './manifest-context.ts';
export type {
  ContextDirectory,
  ContextEntry,
  ContextFile,
  ContextItem,
  ContextQuery,
  ContextSource,
  ContextSymlink,
} from './source.ts';
