import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { errorCatalogue } from '@loam/base';
import type { ErrorEntry } from '@loam/base';

/** The text of docs/errors.md: the catalogue, one section a room. */
export function errorsPage(): string {
  const rooms = new Map<string, [string, ErrorEntry][]>();
  for (const [code, entry] of Object.entries(errorCatalogue)) {
    const room = code.slice(0, code.indexOf('.'));
    rooms.set(room, [...(rooms.get(room) ?? []), [code, entry]]);
  }
  const sections = [...rooms].map(([room, entries]) =>
    [
      `## ${room}`,
      '',
      '| code | status | what it says | what to do |',
      '|---|---|---|---|',
      ...entries.map(
        ([code, entry]) => `| \`${code}\` | ${entry.status} | ${cell(entry.message)} | ${cell(entry.remedy)} |`,
      ),
    ].join('\n'),
  );
  return [
    '# Errors',
    '',
    'Made by `node tools/docs/errors.ts` from `packages/base/src/errors/`; a test holds the two equal. Codes never change once released. Over REST an error is',
    "`application/problem+json` with `code`, `detail`, `remedy` and a `requestId` under which the API's log has the rest.",
    '',
    sections.join('\n\n'),
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

export const errorsPagePath = fileURLToPath(new URL('../../docs/errors.md', import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(errorsPagePath, errorsPage());
