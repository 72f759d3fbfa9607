export type {
  ContextDirectory,
  ContextEntry,
  ContextFile,
  ContextItem,
  ContextQuery,
  ContextSource,
  ContextSymlink,
} from './source.ts';
