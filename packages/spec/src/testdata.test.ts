/// <reference types="node" />
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkSpec, decodeBytes, encodeText, formatDiagnostic, printSpec, toDockerfile } from './index.ts';

/*
 * testdata/ok and testdata/err hold specs, and beside each what is made of it. After a change that is meant:
 * UPDATE_TESTDATA=1 vitest run --project unit packages/spec, and read the difference.
 */

const update = process.env['UPDATE_TESTDATA'] !== undefined;

function outcome(file: string, bytes: Uint8Array): string {
  const text = decodeBytes(bytes);
  const { spec, diagnostics } = checkSpec(bytes);
  const parts = diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, text, file));
  if (spec !== undefined) {
    parts.push(printSpec(spec));
    for (const platform of ['unix', 'windows'] as const) parts.push(toDockerfile(spec, { platform, buildkit: true }));
  }
  return `${parts.join('\n\n')}\n`;
}

describe.for(['ok', 'err'] as const)('testdata/%s', (folder) => {
  const root = new URL(`../testdata/${folder}/`, import.meta.url);
  const files = readdirSync(root).filter((file) => file.endsWith('.spec'));

  test.for(files)('%s', (file) => {
    const bytes = readFileSync(new URL(file, root));
    expect(checkSpec(bytes).spec === undefined).toBe(folder === 'err');
    const expectedFile = new URL(file.replace(/\.spec$/, '.expected'), root);
    const found = outcome(file, bytes);
    if (update) writeFileSync(expectedFile, encodeText(found));
    expect(existsSync(expectedFile), 'run with UPDATE_TESTDATA=1').toBe(true);
    expect(found).toBe(decodeBytes(readFileSync(expectedFile)));
  });

  test('has specs', () => expect(files.length).toBeGreaterThan(3));
});

test('the sources need no Node and no package', () => {
  const root = new URL('.', import.meta.url);
  for (const file of readdirSync(root)) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
    const source = readFileSync(new URL(file, root), 'utf8');
    expect(source, file).not.toMatch(/from '(?!\.\/)/);
    expect(source, file).not.toMatch(/\b(process|Buffer|require|globalThis|window|document)\b[.(]/);
  }
});
