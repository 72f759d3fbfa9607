import { posix } from 'node:path';

import type { PlatformRules } from './rules.ts';

function absolute(workdir: string, path: string): string {
  const normal = posix.resolve('/', workdir, path);
  // POSIX lets two leading slashes mean something of their own; nobody who writes a spec means that.
  return normal.replace(/^\/+/, '/');
}

export const linuxRules: PlatformRules = {
  workdir: '/',
  user: { kind: 'id', uid: 0, gid: 0 },
  // OBuilder runs `bash -c`; many small images have no bash, and there Loam takes what POSIX promises.
  shells: [
    ['/bin/bash', '-c'],
    ['/usr/bin/bash', '-c'],
    ['/usr/local/bin/bash', '-c'],
  ],
  fallbackShell: ['/bin/sh', '-c'],
  absolute,
  destination: (workdir, path) => ({ path: absolute(workdir, path), isDirectory: path.endsWith('/') }),
  treePath: (path) => path.replace(/^\/+|\/+$/g, ''),
  otherDrive: () => undefined,
  envKey: (name) => name,
  numericOwners: true,
};
