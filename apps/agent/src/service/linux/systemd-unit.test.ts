import { LoamError } from '@loam/base';
import { expect, it } from 'vitest';

import { exitCodeOfError } from '../../commands/exit-code.ts';
import { systemdUnit } from './systemd-unit.ts';

const definition = { command: ['/usr/local/bin/loam-agent', 'service', 'run'], stateDirectory: '/var/lib/loam-agent' };
const settings = (unit: string, name: string): string[] =>
  unit.split('\n').flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));

it('systemd waits longer for the end than builds are given to end', () => {
  expect(settings(systemdUnit(definition), 'TimeoutStopSec')).toEqual(['60']);
  expect(settings(systemdUnit({ ...definition, graceMs: 600_500 }), 'TimeoutStopSec')).toEqual(['651']);
});

it('an agent that nobody has enrolled is not started again and again; one without containerd is', () => {
  const [final = ''] = settings(systemdUnit(definition), 'RestartPreventExitStatus');
  const isFinal = (error: unknown): boolean => final.split(' ').includes(String(exitCodeOfError(error)));
  expect(isFinal(LoamError.of('agent.not-enrolled', { file: 'config.json' }))).toBe(true);
  expect(isFinal(LoamError.of('agent.config-invalid', { file: 'config.json', reason: '' }))).toBe(true);
  expect(isFinal(LoamError.of('agent.containerd-missing', { programs: 'runc' }))).toBe(false);
  expect(isFinal(new Error('anything else'))).toBe(false);
});
