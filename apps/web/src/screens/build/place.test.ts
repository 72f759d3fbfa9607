import type { Step } from '@loam/contracts';
import { describe, expect, it } from 'vitest';

import { formatPlace, parsePlace } from './place.ts';
import { currentStep, groupByStage, nextFailure } from './steps.ts';

describe('a place in a log', () => {
  it('survives the way through a link', () => {
    for (const place of [{ step: 'dev/2', from: 10, to: 14 }, { step: '0', from: 3, to: 3 }, { step: 'a b&c/1' }]) {
      expect(parsePlace(`#${formatPlace(place)}`)).toEqual(place);
    }
  });

  it('puts a backward range in order and ignores nonsense', () => {
    expect(parsePlace('step=0&L=9-4')).toEqual({ step: '0', from: 4, to: 9 });
    expect(parsePlace('step=0&L=x')).toEqual({ step: '0' });
    expect(parsePlace('')).toEqual({ step: undefined });
  });
});

describe('steps', () => {
  const step = (position: string, state: Step['state'], stage: string[] = []) =>
    ({ position, state, stage, logId: null, startedAt: state === 'pending' ? null : 1 }) as Step;
  const steps = [
    step('dev/0', 'hit', ['dev']),
    step('dev/1', 'failed', ['dev']),
    step('0', 'running'),
    step('1', 'pending'),
  ];

  it('opens at the failure, then at what runs, then at the last that did something', () => {
    expect(currentStep(steps)?.position).toBe('dev/1');
    expect(currentStep(steps.filter((each) => each.state !== 'failed'))?.position).toBe('0');
    expect(currentStep([steps[0]!, steps[3]!])?.position).toBe('dev/0');
  });

  it('finds the next failure, going round', () => {
    expect(nextFailure(steps, steps[2])?.position).toBe('dev/1');
    expect(nextFailure([steps[0]!], steps[0])).toBeUndefined();
  });

  it('groups by nested build in order', () => {
    expect(groupByStage(steps).map((group) => [group.path.join('/'), group.steps.length])).toEqual([
      ['dev', 2],
      ['', 2],
    ]);
  });
});
