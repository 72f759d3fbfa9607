import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { RotatingFile } from './rotating-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loam-rotating-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (options: { maxBytes?: number; maxFiles?: number } = {}): RotatingFile =>
  new RotatingFile({ directory, name: 'agent', maxBytes: 100, maxFiles: 3, ...options });
const read = (name: string): string => readFileSync(join(directory, name), 'utf8');

describe('a log of bounded size', () => {
  it('keeps the newest lines in order, in files that are never larger or more than allowed', () => {
    const log = open();
    for (let line = 0; line < 100; line++) log.write(`line ${String(line).padStart(3, '0')}\n`);
    log.close();
    expect(readdirSync(directory).toSorted()).toEqual(['agent.1.log', 'agent.2.log', 'agent.log']);
    for (const file of readdirSync(directory)) expect(statSync(join(directory, file)).size).toBeLessThanOrEqual(100);
    const all = read('agent.2.log') + read('agent.1.log') + read('agent.log');
    const lines = all.trimEnd().split('\n');
    expect(lines.at(-1)).toBe('line 099');
    expect(lines).toEqual(lines.toSorted());
    expect(lines.length).toBeGreaterThan(20);
  });

  it('goes on, after a restart, where the process before ended', () => {
    for (let life = 0; life < 30; life++) {
      const log = open();
      log.write(`life ${life} said something\n`);
      log.close();
    }
    expect(readdirSync(directory)).toHaveLength(3);
    expect(read('agent.log')).toContain('life 29');
  });

  it('has a line on disk as soon as it is written', () => {
    const log = open();
    log.write('last words\n');
    expect(read('agent.log')).toBe('last words\n');
    log.close();
  });

  it('takes a line that alone is too large, as a file of its own', () => {
    const log = open();
    log.write('before\n');
    log.write(`${'x'.repeat(500)}\n`);
    log.write('after\n');
    log.close();
    expect(read('agent.2.log')).toBe('before\n');
    expect(read('agent.1.log')).toHaveLength(501);
    expect(read('agent.log')).toBe('after\n');
  });

  it('goes on in its newest file while the oldest one cannot be taken away', () => {
    const log = open();
    // Stands for a file that a viewer holds open on Windows.
    mkdirSync(join(directory, 'agent.2.log', 'held'), { recursive: true });
    for (let line = 0; line < 20; line++) log.write(`line ${String(line).padStart(3, '0')}\n`);
    expect(read('agent.log').trimEnd().split('\n')).toHaveLength(20);
    rmSync(join(directory, 'agent.2.log'), { recursive: true });
    for (let line = 20; line < 60; line++) log.write(`line ${String(line).padStart(3, '0')}\n`);
    log.close();
    expect(read('agent.log').length).toBeLessThanOrEqual(100);
    expect(read('agent.2.log').length).toBeGreaterThan(0);
  });

  it('is readable to its owner only', () => {
    open().close();
    if (process.platform !== 'win32') expect(statSync(join(directory, 'agent.log')).mode & 0o777).toBe(0o600);
  });

  it('never stops the program: what cannot be written is lost', () => {
    const log = open();
    // Windows keeps directories of open files.
    log.close();
    rmSync(directory, { recursive: true });
    for (let line = 0; line < 50; line++) log.write(`line ${line}\n`);
    log.close();
  });
});
