import { describe, expect, it } from 'vitest';

import { parseReference } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseReference (§11.2 #15)', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['ocaml/opam:debian', 'docker.io/ocaml/opam:debian'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest'],
    ['localhost/x', 'localhost/x:latest'],
    ['localhost:5000/x:1', 'localhost:5000/x:1'],
    ['mcr.microsoft.com/windows/servercore:ltsc2022', 'mcr.microsoft.com/windows/servercore:ltsc2022'],
    ['Registry/x', 'Registry/x:latest'],
    ['[::1]:5000/a/b', '[::1]:5000/a/b:latest'],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
    [`busybox:1@${digest}`, `docker.io/library/busybox@${digest}`],
    ['a.b/c__d/e.f-g', 'a.b/c__d/e.f-g:latest'],
  ])('%s is %s', (text, name) => {
    expect(parseReference(text).name).toBe(name);
  });

  it.each([
    '',
    ' x',
    'UPPER',
    'a:b:c',
    'x@sha256:ab',
    `x@${digest}@${digest}`,
    'a'.repeat(64),
    '-x',
    'x:',
    'x/',
    '/x',
    'a..b',
    'x:-t',
  ])('%j is refused with a reason', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'backend.reference-invalid' }));
  });
});
