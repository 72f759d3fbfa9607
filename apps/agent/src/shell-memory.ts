import { readFileSync, writeFileSync } from 'node:fs';

import type { ShellMemory } from '@loam/engine';
import { replaceFileSync } from '@loam/files';

/** Remembers in a file which shell each base image has. One that is broken or cannot be written costs only another look. */
export function fileShellMemory(file: string): ShellMemory {
  const known = read(file);
  return {
    get: (question) => known.get(question),
    set(question, shell) {
      known.set(question, shell);
      const temporary = `${file}.new`;
      try {
        writeFileSync(temporary, JSON.stringify(Object.fromEntries(known)), { mode: 0o600 });
        replaceFileSync(temporary, file);
      } catch {
        // A full disk is told by what needs it.
      }
    },
  };
}

function read(file: string): Map<string, readonly string[]> {
  try {
    const entries = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
    return new Map(entries.filter((entry): entry is [string, string[]] => isShell(entry[1])));
  } catch {
    return new Map();
  }
}

function isShell(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string');
}
