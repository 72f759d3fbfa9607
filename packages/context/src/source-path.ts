import { LoamError } from '@loam/base';

/**
 * A source as its components, without `.` and empty ones; none for the whole project. Throws `context.source-outside` for
 * what could lead out of the project, on whatever host it is read: `..`, and on Windows drives and `\`.
 */
export function sourceComponents(source: string, separator: string): string[] {
  const outside = (reason: string): LoamError => LoamError.of('context.source-outside', { source, reason });
  const components = source.split('/').filter((name) => name !== '' && name !== '.');
  for (const name of components) {
    if (name === '..') throw outside('it has ".." in it');
    if (name.includes('\0')) throw outside('it has a zero byte in it');
    if (separator !== '/' && (name.includes(separator) || /^[A-Za-z]:/.test(name))) {
      throw outside('it names a drive or has another separator than "/" in it');
    }
  }
  return components;
}

/** Order of paths in manifests: by code units, which puts a directory before what is in it. */
export function comparePaths(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
