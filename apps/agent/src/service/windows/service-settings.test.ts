import { expect, it } from 'vitest';

import { serviceConfiguration, serviceSettings } from './service-settings.ts';

const definition = {
  name: 'loam-agent',
  command: ['C:\\Program Files\\Loam\\loam-agent.exe', 'service', 'run', '--state', 'C:\\ProgramData\\loam-agent'],
  stateDirectory: 'C:\\ProgramData\\loam-agent',
};

it('the service is LocalSystem, starts at boot behind containerd, and its program is quoted', () => {
  expect(serviceConfiguration(definition, ['containerd'])).toEqual({
    displayName: 'Loam build agent',
    type: 0x10,
    start: 2,
    errorControl: 1,
    commandLine: '"C:\\Program Files\\Loam\\loam-agent.exe" service run --state C:\\ProgramData\\loam-agent',
    dependencies: 'containerd\0\0',
    account: 'LocalSystem',
  });
});

it('without containerd the list of dependencies is empty, which is not the same as none', () => {
  expect(serviceConfiguration(definition, []).dependencies).toBe('\0');
});

it('two agents on a host have different names in the list of services', () => {
  expect(serviceConfiguration({ ...definition, name: 'loam-b' }, []).displayName).toBe('Loam build agent (loam-b)');
});

it('it is started again after 5, 30 and 60 seconds, also after an end that is no crash; a day counts', () => {
  expect(serviceSettings().map(({ what: _, ...setting }) => setting)).toEqual([
    { level: 1, text: expect.stringContaining('Loam farm') },
    { level: 3, number: 1 },
    {
      level: 2,
      resetSeconds: 86_400,
      actions: [
        { type: 1, delayMs: 5_000 },
        { type: 1, delayMs: 30_000 },
        { type: 1, delayMs: 60_000 },
      ],
    },
    { level: 4, number: 1 },
    { level: 7, number: 60_000 },
  ]);
});
