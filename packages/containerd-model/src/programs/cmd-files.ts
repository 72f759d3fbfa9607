import { read, writable, type Frame } from './cmd-frame.ts';
import { absolutePath } from './program.ts';

/** The commands of cmd that work on files; undefined for what is none of them. */
export function fileCommand(
  name: string,
  paths: readonly string[],
  args: readonly string[],
  frame: Frame,
): number | undefined {
  const { context, cwd } = frame;
  const meta = { mtimeMs: context.clock.now() };
  const [from = '', to = ''] = paths;
  switch (name) {
    case 'mkdir':
    case 'md':
      for (const path of paths) {
        const place = writable(path, frame);
        if (place.tree.resolve(place.path).entry) throw new Error(`A subdirectory or file ${path} already exists.`);
        place.tree.makeDirectories(place.path, meta);
      }
      return 0;
    case 'del':
    case 'erase':
    case 'rmdir':
    case 'rd':
      for (const path of paths) {
        const place = writable(path, frame);
        const isThere = place.tree.resolve(place.path).entry !== undefined;
        if (!isThere && name.startsWith('r')) throw new Error('The system cannot find the file specified.');
        place.tree.remove(place.path);
      }
      return 0;
    case 'copy':
    case 'move':
    case 'ren': {
      const target = context.at(absolutePath(to, cwd));
      const isDirectory = target.tree.resolve(target.path).entry?.kind === 'directory';
      const place = writable(isDirectory ? `${to}\\${from.split(/[\\/]/).at(-1)}` : to, frame);
      place.tree.writeFile(place.path, read(from, frame), meta);
      if (name !== 'copy') writable(from, frame).tree.remove(writable(from, frame).path);
      return 0;
    }
    case 'mklink': {
      const place = writable(from, frame);
      if (args.includes('/H')) place.tree.link(place.path, context.at(absolutePath(to, cwd)).path);
      else place.tree.symlink(place.path, to);
      return 0;
    }
    default:
      return undefined;
  }
}
