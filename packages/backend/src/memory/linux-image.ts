import { FileTree } from './file-tree.ts';

/** What a small Linux image holds, as far as the double cares: a shell to be found, users, and a few directories. */
export function linuxImageTree(): FileTree {
  const tree = new FileTree();
  for (const path of ['bin', 'etc', 'home', 'root', 'usr/bin', 'var']) tree.makeDirectories(path);
  tree.makeDirectories('tmp', { mode: 0o1777 });
  tree.makeDirectories('home/builder', { uid: 1000, gid: 1000 });
  for (const path of ['bin/sh', 'bin/busybox']) tree.writeFile(path, 'the shell of the double\n', { mode: 0o755 });
  tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000::/home/builder:/bin/sh\n');
  tree.writeFile('etc/group', 'root:x:0:\nbuilder:x:1000:\n');
  return tree;
}
