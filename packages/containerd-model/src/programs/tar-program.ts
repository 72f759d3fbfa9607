import { Readable } from 'node:stream';
import { extract, pack, type TarStreamPack } from 'tar-stream';

import { components, LayerTree, type TreeNode } from '../storage/layer-tree.ts';
import { absolutePath, type ProgramContext } from './program.ts';

interface TarContext {
  readonly cwd: string;
  readonly at: ProgramContext['at'];
  readonly out: (bytes: Uint8Array) => void;
  readonly err: (text: string) => void;
  readonly stdin: () => AsyncIterable<Uint8Array>;
}

/** The tar.exe of Windows (bsdtar), as far as `-cf - [--no-recursion] [-C DIR] NAME…` and `-xf - [-C DIR]` go. */
export async function tarProgram(args: readonly string[], context: TarContext): Promise<number> {
  const [mode = ''] = args;
  let cwd = context.cwd;
  const names: string[] = [];
  for (let at = 1; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '-C') cwd = absolutePath(args[(at += 1)] ?? '', cwd);
    else if (arg !== '-' && arg !== '--no-recursion') names.push(arg);
  }
  if (mode.includes('x')) return unpack(cwd, context);
  if (mode.includes('c')) return create(cwd, names, !args.includes('--no-recursion'), context);
  context.err('tar.exe: Must specify one of -c, -r, -t, -u, -x\r\n');
  return 1;
}

/** What cannot be found is told, and the rest is written all the same; then the exit code is 1. */
async function create(cwd: string, names: readonly string[], isDeep: boolean, context: TarContext): Promise<number> {
  const tar = pack();
  const read = (async () => {
    for await (const part of tar) context.out(part as Uint8Array);
  })();
  let status = 0;
  const written = new Map<TreeNode, string>();
  for (const name of names) {
    const place = context.at(absolutePath(name, cwd));
    const { tree } = place;
    const start = components(place.path);
    if (!(tree instanceof LayerTree) || tree.find(place.path) === undefined) {
      context.err(`tar.exe: ${name}: Couldn't visit directory: No such file or directory\r\n`);
      status = 1;
      continue;
    }
    for (const { path, node } of tree.nodes(place.path)) {
      const entryName = [name.replaceAll('\\', '/'), ...components(path).slice(start.length)].join('/');
      addEntry(tar, entryName, node, written);
      if (!isDeep) break;
    }
  }
  tar.finalize();
  await read;
  return status;
}

function addEntry(tar: TarStreamPack, name: string, node: TreeNode, written: Map<TreeNode, string>): void {
  const mtime = new Date(node.mtimeMs);
  const first = written.get(node);
  if (node.kind === 'directory') tar.entry({ name, mtime, type: 'directory' });
  else if (node.kind === 'symlink') tar.entry({ name, mtime, type: 'symlink', linkname: node.target });
  else if (first !== undefined) tar.entry({ name, mtime, type: 'link', linkname: first });
  else {
    written.set(node, name);
    tar.entry({ name, mtime, type: 'file', size: node.content.length }, Buffer.from(node.content));
  }
}

async function unpack(cwd: string, context: TarContext): Promise<number> {
  for await (const entry of Readable.from(context.stdin()).pipe(extract())) {
    const { name, type, mtime, linkname } = entry.header;
    const parts: Uint8Array[] = [];
    for await (const part of entry) parts.push(part.slice());
    const place = context.at(absolutePath(name, cwd));
    if (place.readonly) throw new Error(`tar.exe: ${name}: Access is denied.`);
    const meta = { mtimeMs: mtime.getTime() };
    if (type === 'directory') place.tree.makeDirectories(place.path, meta);
    else if (type === 'symlink') place.tree.symlink(place.path, linkname ?? '');
    else place.tree.writeFile(place.path, new Uint8Array(Buffer.concat(parts)), meta);
  }
  return 0;
}
