import { describe, expect, it } from 'vitest';

import { mountCommand, unsynced } from './host-mount.ts';
import { parseMountInfo } from './mount-info.ts';

const at = '/var/lib/x/snapshots';

describe('mountCommand', () => {
  it('binds a snapshot that is one directory', () => {
    const mount = { type: 'bind', source: `${at}/1/fs`, target: '', options: ['rw', 'rbind'] };
    expect(mountCommand(mount, '/t', false).args).toEqual(['--bind', '-o', 'rw', `${at}/1/fs`, '/t']);
    expect(mountCommand(mount, '/t', true).args).toEqual(['--bind', '-o', 'ro', `${at}/1/fs`, '/t']);
  });

  it('names the directories of an overlay from where they lie together', () => {
    const options = ['index=off', `workdir=${at}/9/work`, `upperdir=${at}/9/fs`, `lowerdir=${at}/8/fs:${at}/7/fs`];
    const mount = { type: 'overlay', source: 'overlay', target: '', options };
    expect(mountCommand(mount, '/t', false)).toEqual({
      cwd: at,
      args: ['-t', 'overlay', 'overlay', '-o', 'index=off,workdir=9/work,upperdir=9/fs,lowerdir=8/fs:7/fs', '/t'],
    });
    expect(mountCommand(mount, '/t', true).args[4]).toBe('ro,index=off,lowerdir=9/fs:8/fs:7/fs');
    expect(unsynced([mount])[0]?.options).toContain('volatile');
  });

  it('vectors (5): takes 400 layers and refuses, before mount(8) cuts them off, more than a page of options', () => {
    const lower = (count: number): string => Array.from({ length: count }, (_, index) => `${at}/${index}/fs`).join(':');
    const mount = (count: number) => ({
      type: 'overlay',
      source: 'overlay',
      target: '',
      options: [`lowerdir=${lower(count)}`],
    });
    expect(() => mountCommand(mount(400), '/t', true)).not.toThrow();
    expect(() => mountCommand(mount(1000), '/t', true)).toThrow('too many layers');
  });
});

it('mount points are read with spaces, tabs and bytes beyond ASCII', () => {
  const text = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw',
    '30 22 0:5 / /state/a\\040b\\011c\\134d rw - overlay overlay rw,lowerdir=x',
    '31 22 0:6 / /state/ä rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  expect(parseMountInfo(text).map(({ mountPoint }) => mountPoint)).toEqual(['/', '/state/a b\tc\\d', '/state/ä']);
});
