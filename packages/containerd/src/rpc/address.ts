import { LoamError } from '@loam/base';

const pipePrefix = '\\\\.\\pipe\\';

/**
 * What `net.connect({ path })` takes for an address of containerd: `unix:///path`, `/path`, `npipe:////./pipe/name` or
 * `\\.\pipe\name`.
 *
 * @throws LoamError `containerd.bad-address`
 */
export function socketPath(address: string): string {
  if (address.startsWith('unix:///')) return address.slice('unix://'.length);
  if (address.startsWith('/') && !address.startsWith('//')) return address;
  const pipe = address.replace(/^npipe:\/\//, '').replaceAll('/', '\\');
  if (pipe.startsWith(pipePrefix) && pipe.length > pipePrefix.length) return pipe;
  throw LoamError.of('containerd.bad-address', { address });
}
