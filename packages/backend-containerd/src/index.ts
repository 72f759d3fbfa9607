export { lockStateDirectory, type AgentLock } from './agent-lock.ts';
export { createContainerdBackend, type ContainerdBackend, type ContainerdBackendOptions } from './backend.ts';
export { busyboxImageArchive, busyboxImageName, type BusyboxImageOptions } from './base-image.ts';
export type { Credentials, RegistriesConfig, RegistryConfig } from './fetcher/registry-config.ts';
export { assertNothingLeft, findLeftovers } from './leftovers.ts';
