import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startContainerd } from './containerd-server.ts';

afterEach(() => vi.unstubAllEnvs());

describe('a private containerd', () => {
  it.each([false, true])(
    'leaves no process, mount or file behind, though a task ran (killed before: %s)',
    async (killed) => {
      const server = await startContainerd();
      const home = dirname(server.root);
      const rootfs = await mkdtemp(join(tmpdir(), 'loam-rootfs-'));
      await mkdir(join(rootfs, 'proc'));
      await mkdir(join(rootfs, 'bin'));
      execFileSync('cp', [
        existsSync('/bin/busybox') ? '/bin/busybox' : '/usr/bin/busybox',
        join(rootfs, 'bin/busybox'),
      ]);
      const command = ['--rootfs', '--detach', '--null-io', rootfs, 'left-running', '/bin/busybox', 'sleep', '1000'];
      await server.ctr(['run', '--runc-root', server.runcRoot, '--cgroup', '/loam-left-running', ...command]);
      expect(processesNaming(home)).not.toEqual([]);
      if (killed) await server.kill9();
      await server.stop();
      await expect.poll(() => processesNaming(home)).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(home);
      expect(existsSync(home)).toBe(false);
      await rm(rootfs, { recursive: true });
    },
  );

  it('says what to install when there is no containerd', async () => {
    vi.stubEnv('PATH', '/nowhere');
    await expect(startContainerd()).rejects.toThrow('apt-get install containerd');
  });
});

function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        // Ended while we looked.
        return false;
      }
    });
}
