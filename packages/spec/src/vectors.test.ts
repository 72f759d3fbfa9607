/// <reference types="node" />
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSpec, printOp, printSpec, printSpecFilled, printSpecMachine } from './index.ts';
import type { Spec } from './index.ts';

interface Recorded {
  readonly name?: string;
  readonly spec: string;
  readonly group?: 'valid' | 'invalid';
  readonly stage?: string;
  readonly printed_mach?: string;
  readonly printed?: string;
  readonly printed_hum?: string;
  readonly ops?: string[];
}

function load(file: string): Recorded[] {
  const text = readFileSync(new URL(`../testdata/${file}`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { cases: Recorded[] }).cases;
}

function printed(spec: Spec) {
  return {
    printed_mach: printSpecMachine(spec),
    printed: printSpec(spec),
    printed_hum: printSpecFilled(spec),
    ops: spec.ops.map(printOp),
  };
}

/** What OBuilder rejects and we accept, on purpose. */
const accepted = new Set(['user-gid-first']);

describe('named vectors from OBuilder', () => {
  for (const recorded of load('spec-parse.json')) {
    test(`${recorded.name} is ${accepted.has(recorded.name ?? '') ? 'accepted all the same' : recorded.group}`, () => {
      const { spec, diagnostics } = parseSpec(recorded.spec);
      if (recorded.group === 'invalid' && !accepted.has(recorded.name ?? '')) {
        expect(spec).toBeUndefined();
        expect(diagnostics.length).toBeGreaterThan(0);
        for (const { message } of diagnostics) expect(message).not.toMatch(/exception|\.ml\b|undefined|internal/i);
        return;
      }
      expect(diagnostics).toEqual([]);
      if (spec !== undefined && recorded.group === 'valid') expect(printed(spec)).toMatchObject(printedOf(recorded));
    });
  }
});

test('generated specs, right and wrong ones, are taken and printed as OBuilder takes and prints them', () => {
  for (const recorded of load('recorded.json')) {
    const bytes = Uint8Array.from(recorded.spec, (character) => character.charCodeAt(0));
    const { spec, diagnostics } = parseSpec(bytes);
    if (recorded.stage === undefined) {
      expect(diagnostics, recorded.spec).toEqual([]);
      if (spec !== undefined) expect(printed(spec), recorded.spec).toEqual(printedOf(recorded));
    } else {
      expect(spec, recorded.spec).toBeUndefined();
      expect(diagnostics, recorded.spec).not.toEqual([]);
    }
  }
});

function printedOf({ printed_mach, printed, printed_hum, ops }: Recorded) {
  return { printed_mach, printed, printed_hum, ops };
}

test('vectors (7): a gid may stand before the uid, and is printed after it', () => {
  const { spec } = parseSpec('((from x) (user (gid 1) (uid 2)))');
  expect(spec?.ops.map(printOp)).toEqual(['(user (uid 2) (gid 1))']);
});
