/** As Linux has it; beyond that a path leads nowhere. */
const maxLinks = 40;

/** What is at a path whose own components are no links: nothing, a link and where it points, or something else. */
export type Found = 'nothing' | 'something' | { readonly linkTo: string };

/**
 * Follows links in every component of a path, inside the tree: absolute targets begin at its root, and `..` stops there.
 * `look` is asked about paths without links; `ahead` are the names that it will be asked about next, as long as none of what
 * is on the way is a link. Components that do not exist stay as they were asked for.
 */
export async function followLinks(
  path: string,
  look: (path: string, ahead: readonly string[]) => Promise<Found>,
): Promise<{ readonly path: string; readonly exists: boolean }> {
  const pending = splitPath(path).toReversed();
  const done: string[] = [];
  let links = 0;
  let exists = true;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '..') {
      done.pop();
      exists = true;
      continue;
    }
    done.push(part);
    if (!exists) continue;
    const found = await look(done.join('/'), pending.toReversed());
    if (found === 'nothing') exists = false;
    if (typeof found === 'string') continue;
    if (++links > maxLinks) return { path: splitPath(path).join('/'), exists: false };
    done.pop();
    if (found.linkTo.startsWith('/')) done.length = 0;
    pending.push(...splitPath(found.linkTo).toReversed());
  }
  return { path: done.join('/'), exists };
}

/** The names of a `/`-separated path. */
export function splitPath(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
