import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Containerd } from '../client.ts';
import type { Descriptor } from '../values.ts';
import { put } from './blobs.ts';

const run = promisify(execFile);
const applets = ['sh', 'cat', 'echo', 'sleep', 'true', 'false', 'dd', 'tail'];

/** A root file system of Debian's static busybox, as an uncompressed layer in the content store. Needs a lease. */
export async function busyboxLayer(client: Containerd, lease: string): Promise<Descriptor> {
  const bytes = await busyboxTar();
  const { digest, size } = await put(client, bytes, { lease });
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size };
}

async function busyboxTar(): Promise<Uint8Array> {
  const home = await mkdtemp(join(tmpdir(), 'loam-busybox-'));
  try {
    const root = join(home, 'root');
    for (const name of ['bin', 'proc', 'dev', 'tmp', 'etc']) await mkdir(join(root, name), { recursive: true });
    await copyFile(await locateBusybox(), join(root, 'bin/busybox'));
    for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
    await run('tar', ['--create', '--file', join(home, 'tar'), '--owner=0', '--group=0', '--directory', root, '.']);
    return await readFile(join(home, 'tar'));
  } finally {
    await rm(home, { recursive: true });
  }
}

async function locateBusybox(): Promise<string> {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    try {
      await access(path);
      return path;
    } catch {
      // The other place, where /bin is not a link to /usr/bin.
    }
  }
  throw new Error('busybox is not installed: apt-get install busybox-static (Debian package busybox-static)');
}

/** The least that runc needs to run a command in that root. */
export function busyboxSpec(
  id: string,
  args: readonly string[],
  more: { cwd?: string; memoryBytes?: number } = {},
): object {
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args, cwd: more.cwd ?? '/', env: ['PATH=/bin'] },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
    ],
    linux: {
      cgroupsPath: `/loam-test-${id}`,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
      ...(more.memoryBytes !== undefined && {
        resources: { memory: { limit: more.memoryBytes, swap: more.memoryBytes } },
      }),
    },
  };
}
