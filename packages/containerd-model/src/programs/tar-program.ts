import { Readable } from 'node:stream';
import { extract, pack } from 'tar-stream';

import { LayerTree } from '../storage/layer-tree.ts';
import { absolutePath, type ProgramContext } from './program.ts';

interface TarContext {
  readonly cwd: string;
  readonly at: ProgramContext['at'];
  readonly out: (bytes: Uint8Array) => void;
  readonly err: (text: string) => void;
  readonly stdin: () => AsyncIterable<Uint8Array>;
}

/** The tar.exe of Windows (bsdtar), as far as `-cf - [-C DIR] NAME…` and `-xf - [-C DIR]` go. */
export async function tarProgram(args: readonly string[], context: TarContext): Promise<number> {
  const [mode = ''] = args;
  let cwd = context.cwd;
  const names: string[] = [];
  for (let at = 1; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '-C') cwd = absolutePath(args[(at += 1)] ?? '', cwd);
    else if (arg !== '-') names.push(arg);
  }
  if (mode.includes('x')) return unpack(cwd, context);
  if (mode.includes('c')) return create(cwd, names, context);
  context.err('tar.exe: Must specify one of -c, -r, -t, -u, -x\r\n');
  return 1;
}

async function create(cwd: string, names: readonly string[], context: TarContext): Promise<number> {
  const tar = pack();
  const read = (async () => {
    for await (const part of tar) context.out(part as Uint8Array);
  })();
  let status = 0;
  for (const name of names) {
    const place = context.at(absolutePath(name, cwd));
    const start = place.tree instanceof LayerTree ? place.tree.find(place.path) : undefined;
    if (!start || !(place.tree instanceof LayerTree)) {
      context.err(`tar.exe: ${name}: Couldn't visit directory: No such file or directory\r\n`);
      status = 1;
      continue;
    }
    const top = place.path.split(/[\\/]/).filter((part) => part !== '' && part !== '.').length;
    for (const { path, node } of place.tree.nodes(place.path)) {
      const inside = path
        .split('/')
        .filter((part) => part !== '')
        .slice(top);
      const entry = { name: [name.replaceAll('\\', '/'), ...inside].join('/'), mtime: new Date(node.mtimeMs) };
      if (node.kind === 'directory') tar.entry({ ...entry, type: 'directory' });
      else if (node.kind === 'symlink') tar.entry({ ...entry, type: 'symlink', linkname: node.target });
      else tar.entry({ ...entry, type: 'file', size: node.content.length }, Buffer.from(node.content));
    }
  }
  tar.finalize();
  await read;
  return status;
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
