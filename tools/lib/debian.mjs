import { accessSync, constants } from 'node:fs';
import path from 'node:path';

import { run, say } from './run.mjs';

/** What Loam uses from Debian: the program to look for, and the package that brings it. */
export const programs = {
  containerd: 'containerd',
  runc: 'runc',
  busybox: 'busybox-static',
  'redis-server': 'redis-server',
  'docker-registry': 'docker-registry',
  chromium: 'chromium',
  mount: 'mount',
  shellcheck: 'shellcheck',
  curl: 'curl',
  openssl: 'openssl',
  debootstrap: 'debootstrap',
  systemctl: 'systemd',
  ip: 'iproute2',
  iptables: 'iptables',
  // The one of its plugins whose name nothing else has.
  'host-local': 'containernetworking-plugins',
  wine64: 'wine64',
  'x86_64-w64-mingw32-gcc': 'gcc-mingw-w64-x86-64',
};

function onPath(program) {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter),
    '/usr/sbin',
    '/sbin',
    '/usr/lib/cni',
    '/usr/lib/wine',
  ];
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Debian packages that bring what is missing of `names`. */
export function missingPackages(names) {
  return names.filter((name) => !onPath(name)).map((name) => programs[name]);
}

/**
 * Installs what is missing with apt when this is root on a Debian-like host. Gives the packages that are still missing:
 * the caller decides whether it can go on without them.
 */
export async function ensurePrograms(names) {
  const missing = missingPackages(names);
  if (missing.length === 0) return [];
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !onPath('apt-get')) return missing;
  say(`Installing ${missing.join(', ')} from Debian …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  // Mirrors drop connections now and then, and a host's own upgrades hold the lock for minutes.
  const options = ['-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300'];
  const install = [...options, 'install', '-y', '--no-install-recommends', ...missing];
  let result = await run('apt-get', install, { quiet: true, env });
  if (result.code !== 0) {
    await run('apt-get', [...options, 'update'], { quiet: true, env });
    result = await run('apt-get', install, { quiet: true, env });
  }
  if (result.code !== 0) process.stderr.write(result.output);
  return missingPackages(names);
}
