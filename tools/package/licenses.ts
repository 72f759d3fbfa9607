import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The licences of what an executable is made of, as text. `folders` are those of npm packages, in any order. */
export function licenseTexts(folders: Iterable<string>): string {
  const texts = [...new Set(folders)].map((folder) => {
    const about = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license?: string;
    };
    const files = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)(\.|$)/i.test(name));
    const text = files.toSorted().map((name) => readFileSync(path.join(folder, name), 'utf8').trim());
    return `${about.name} ${about.version} (${about.license ?? 'licence in its text'})\n\n${text.join('\n\n')}\n`;
  });
  return texts.toSorted().join(`\n${'-'.repeat(80)}\n\n`);
}

/** The folder of the npm package that a module belongs to; undefined for our own modules and the bundler's. */
export function packageFolder(moduleId: string): string | undefined {
  const at = moduleId.lastIndexOf(`${path.sep}node_modules${path.sep}`);
  if (at === -1) return undefined;
  for (let folder = path.dirname(moduleId); folder.length > at; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    // A package may have others inside it that only say what kind of modules these are.
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name) return folder;
  }
  return undefined;
}
