import { win32 } from 'node:path';

import type { PlatformRules } from './rules.ts';

/** A container's root file system is its drive C:, and layers hold nothing but that one's files (reference §3.1, §3.4). */
const systemDrive = 'C:';

/**
 * `/x` and `\x` get the drive of the working directory; separators become `\`. `X:y` is relative to the working directory when
 * that is on X:, and else to the root of X:, since no other drive has a directory that we know of.
 */
function absolute(workdir: string, path: string): string {
  const ownBase = /^[A-Za-z]:/.test(workdir) ? workdir : `${systemDrive}\\`;
  const named = /^[A-Za-z]:/.exec(path)?.[0];
  const isElsewhere = named !== undefined && named.toUpperCase() !== ownBase.slice(0, 2).toUpperCase();
  const base = isElsewhere ? `${named}\\` : ownBase;
  const drive = base.slice(0, 2);
  const rooted = /^[\\/]/.test(path) ? `${drive}${path}` : path;
  const full = /^[A-Za-z]:[\\/]/.test(rooted) ? rooted : `${base}\\${rooted.replace(/^[A-Za-z]:/, '')}`;
  const normal = win32.normalize(full);
  const trimmed = normal.length > 3 ? normal.replace(/\\+$/, '') : normal;
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
}

export const windowsRules: PlatformRules = {
  workdir: `${systemDrive}\\`,
  user: { kind: 'name', name: 'ContainerAdministrator' },
  shells: [],
  fallbackShell: ['cmd', '/S', '/C'],
  absolute,
  destination: (workdir, path) => ({ path: absolute(workdir, path), isDirectory: /[\\/]$/.test(path) }),
  treePath: (path) =>
    path
      .replace(/^[A-Za-z]:/, '')
      .replaceAll('\\', '/')
      .replace(/^\/+|\/+$/g, ''),
  otherDrive(path) {
    const drive = /^[A-Za-z]:/.exec(path)?.[0].toUpperCase() ?? systemDrive;
    return drive === systemDrive ? undefined : drive;
  },
  // Windows finds `Path` under `PATH`: with both set, which one wins is chance.
  envKey: (name) => name.toUpperCase(),
  numericOwners: false,
};
