export type {
  FetchOptions,
  FetchProgress,
  Fetcher,
  HeldImage,
  ImageConfig,
  ResolvedImage,
  ResolveOptions,
} from './fetcher.ts';
export { formatPlatform, type Owner, type Platform, type User } from './platform.ts';
export type {
  Limits,
  Mount,
  Network,
  OutputStream,
  RunExit,
  RunIo,
  RunRequest,
  Sandbox,
  SecretFile,
} from './sandbox.ts';
export type {
  ApplyOptions,
  CacheInfo,
  CacheMount,
  CacheRequest,
  CacheSharing,
  DiskUsage,
  Lease,
  PrepareOptions,
  Purpose,
  ReconcileReport,
  Snapshot,
  SnapshotName,
  SnapshotUsage,
  Store,
  WorkingSnapshot,
} from './store.ts';
export type {
  DeviceEntry,
  DirectoryEntry,
  FileEntry,
  HardLinkEntry,
  ResolvedPath,
  SymlinkEntry,
  TreeEntry,
  TreeReader,
} from './tree.ts';
