import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A project folder with `small` (1,000 files of 1 KiB) and `large` (four files of 50 MB that do not compress to nothing). */
export function makeProject(folder: string): string {
  mkdirSync(path.join(folder, 'small'), { recursive: true });
  for (let index = 0; index < 1000; index++) {
    writeFileSync(path.join(folder, 'small', `file-${index}`), Buffer.alloc(1024, `${index} `));
  }
  mkdirSync(path.join(folder, 'large'));
  const block = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < 4; index++) {
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE((at * 2654435761 + index) >>> 0, at);
    writeFileSync(path.join(folder, 'large', `part-${index}`), Buffer.concat(Array.from({ length: 50 }, () => block)));
  }
  return folder;
}
