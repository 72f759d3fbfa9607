import { LoamError } from '@loam/base';

const maxNamed = 20;
const maxNameUnits = 255;

/**
 * Device names, with or without an extension. Source: Microsoft, "Naming Files, Paths, and Namespaces". That blanks may
 * stand before the dot is unverified.
 */
const device = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\..*)?$/i;
// oxlint-disable-next-line no-control-regex -- these are what NTFS refuses
const forbidden = /[\u0000-\u001f<>:"|?*\\]/;

/** Why NTFS, or a Windows layer, cannot hold a file of this name; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  const character = forbidden.exec(name)?.[0];
  if (character !== undefined) {
    const shown = character < ' ' ? `U+${character.charCodeAt(0).toString(16).padStart(4, '0')}` : character;
    return `it has the character ${shown}`;
  }
  if (device.test(name)) return 'it is the name of a device';
  if (/[. ]$/.test(name)) return 'it ends in a dot or a space';
  if (name.length > maxNameUnits) return `it is longer than ${maxNameUnits} characters`;
  if (name.toLowerCase().startsWith('.wh.')) return 'layers use the prefix .wh. for deletions';
  return undefined;
}

/**
 * Watches the paths that go into one layer, and remembers all that Windows could not hold: names that NTFS refuses, and two
 * names of one directory that differ in case only, which would be one file there (reference §3.8).
 */
export class NameCheck {
  readonly #spelled = new Map<string, string>([['', '']]);
  readonly #problems = new Map<string, string>();

  /** Takes note of a path, `/`-separated and relative to the root. False when something is wrong with it. */
  accepts(path: string): boolean {
    let isGood = true;
    for (let end = 0; end !== -1;) {
      end = path.indexOf('/', end + 1);
      const part = end === -1 ? path : path.slice(0, end);
      isGood = this.#one(part) && isGood;
    }
    return isGood;
  }

  /** Adds a problem that is not in the name. */
  refuse(path: string, problem: string): void {
    this.#problems.set(path, problem);
  }

  get failed(): boolean {
    return this.#problems.size > 0;
  }

  /** @throws LoamError `backend.names-unsupported`, naming all there were. */
  finish(): void {
    if (!this.failed) return;
    const named = [...this.#problems].slice(0, maxNamed).map(([path, problem]) => `"${path}" (${problem})`);
    const more = this.#problems.size - named.length;
    const names = named.join(', ') + (more > 0 ? ` and ${more} more` : '');
    throw LoamError.of('backend.names-unsupported', { names });
  }

  #one(path: string): boolean {
    const folded = fold(path);
    const spelled = this.#spelled.get(folded);
    if (spelled === path) return !this.#problems.has(path);
    if (spelled !== undefined) {
      this.#problems.set(path, `it is the same as "${spelled}" there`);
      return false;
    }
    this.#spelled.set(folded, path);
    const problem = nameProblem(path.slice(path.lastIndexOf('/') + 1));
    if (problem !== undefined) this.#problems.set(path, problem);
    return problem === undefined;
  }
}

/** As NTFS compares: unit by unit, so that `ß` does not become `SS`. */
function fold(path: string): string {
  const upper = path.toUpperCase();
  if (upper.length === path.length) return upper;
  return Array.from(path, (character) => {
    const one = character.toUpperCase();
    return one.length === character.length ? one : character;
  }).join('');
}
