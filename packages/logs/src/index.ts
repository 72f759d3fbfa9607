export { openLogStore, type LogChunk, type LogStore, type LogStoreOptions } from './log-store.ts';
