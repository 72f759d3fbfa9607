import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { errorCatalogue } from '@loam/base';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const pages = ['docs/windows.md', ...globSync('examples/{windows,self}/**/README.md', { cwd: root })];
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const guide = text('docs/windows.md');
const script = text('infra/windows/install.ps1');
const sources = (...patterns: string[]): string =>
  globSync(patterns, { cwd: root, exclude: ['**/*.test.ts'] })
    .map((path) => text(path))
    .join('\n');

describe('docs/windows.md', () => {
  it('names only errors that exist', () => {
    const named = [...guide.matchAll(/`((?:agent|backend|containerd|engine)\.[a-z][a-z-]+)`/g)].map(([, code]) => code);
    expect(named.length).toBeGreaterThan(20);
    const checks = doctorChecks();
    expect(named.filter((code) => !(String(code) in errorCatalogue) && !checks.includes(String(code)))).toEqual([]);
  });

  it('lists every error that only Windows knows', () => {
    const catalogue = Object.entries(errorCatalogue).filter(([, { message, remedy }]) =>
      /Windows|hns|Hyper-V|HCS|NTFS/.test(message + remedy),
    );
    const codes = catalogue.map(([code]) => code).filter((code) => /^(?:backend|engine)\./.test(code));
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => !guide.includes(`\`${code}\``))).toEqual([]);
  });

  it('names every check of the doctor that is made on Windows', () => {
    const onWindows = doctorChecks().filter((id) => !id.startsWith('linux.') && id !== 'leaks.mounts');
    expect(onWindows.length).toBeGreaterThan(15);
    expect(onWindows.filter((id) => !guide.includes(`\`${id}\``))).toEqual([]);
  });

  it('gives the options that our programs have', () => {
    const ours = sources('apps/agent/src/**/*.ts', 'apps/cli/src/**/*.ts');
    const foreign = ['--register-service', '--unregister-service', '--log-file', '--strip-components'];
    const options = [...new Set([...guide.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([option]) => option))];
    expect(options.length).toBeGreaterThan(20);
    const isOurs = (option: string): boolean => new RegExp(`${option}(?![a-z-])`).test(ours);
    expect(options.filter((option) => !foreign.includes(option) && !isOurs(option))).toEqual([]);
    const settings = [...text('apps/agent/src/windows-settings.ts').matchAll(/flag: '(--[a-z-]+)/g)].map(
      ([, flag]) => flag,
    );
    expect(settings.length).toBeGreaterThan(8);
    expect(settings.filter((flag) => !guide.includes(`\`${flag}\``) && !guide.includes(`\`${flag} `))).toEqual([]);
  });

  it('gives every parameter of the script, and the version of containerd that it installs', () => {
    const parameters = [...script.matchAll(/^\.PARAMETER (\w+)$/gm)].map(([, name]) => `-${name}`);
    expect(parameters).toContain('-Slots');
    expect(parameters.filter((parameter) => !guide.includes(`\`${parameter}\``))).toEqual([]);
    const [, version = 'none'] = /\$ContainerdVersion = '([\d.]+)'/.exec(script) ?? [];
    expect(guide).toContain(`release ${version} by its SHA-256`);
    expect(guide.match(/containerd-[\d.]+-windows/g)?.every((name) => name.includes(version))).toBe(true);
  });

  it('says where every section comes from', () => {
    const sections = guide.split(/^## /m).slice(1);
    const bare = sections
      .filter((section) => !/§\d|\]\(|https:/.test(section))
      .map((section) => section.split('\n')[0]);
    expect(bare).toEqual([]);
  });
});

it.each(pages)('the links of %s lead somewhere', (page) => {
  const links = [...text(page).matchAll(/\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g)];
  for (const [whole, path = '', anchor] of links) {
    const target = path === '' ? page : join(dirname(page), path);
    expect(existsSync(join(root, target)), whole).toBe(true);
    if (anchor !== undefined) expect(anchors(text(target)), whole).toContain(anchor);
  }
});

function doctorChecks(): string[] {
  return [...sources('apps/agent/src/doctor/checks/*.ts').matchAll(/^ +id: '([a-z.-]+)',$/gm)].map(([, id]) =>
    String(id),
  );
}

/** As GitHub makes them of headings. */
function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const plain = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '');
    return `#${plain.trim().replaceAll(' ', '-')}`;
  });
}
