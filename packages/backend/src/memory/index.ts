export { FileTree, type Meta } from './file-tree.ts';
export { MemoryFetcher, qualify, type MemoryFetcherOptions, type MemoryImage } from './fetcher.ts';
export { linuxImageTree } from './linux-image.ts';
export { MemorySandbox, type MemorySandboxOptions, type Program } from './sandbox.ts';
export { runShell, type ProgramEnvironment, type ProgramTree } from './shell.ts';
export { MemoryStore, type MemoryStoreOptions, type StoreCall } from './store.ts';
