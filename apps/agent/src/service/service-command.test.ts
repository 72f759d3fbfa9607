import { expect, it } from 'vitest';

import { placeWarnings, serviceCommand } from './service-command.ts';

const program = ['/opt/loam-agent'];

it('the service runs with the state directory and what install was told, and nothing else', () => {
  expect(serviceCommand({ name: 'loam-agent', state: 'ignored' }, '/state', program)).toEqual([
    '/opt/loam-agent',
    'service',
    'run',
    '--name',
    'loam-agent',
    '--state',
    '/state',
  ]);
  const options = { name: 'b', state: '', slots: '4', grace: '30s', containerd: '/run/x.sock' };
  expect(serviceCommand(options, '/state', program).slice(7)).toEqual([
    '--containerd',
    '/run/x.sock',
    '--slots',
    '4',
    '--grace',
    '30s',
  ]);
});

it.each([
  ['C:\\Users\\me\\Downloads\\loam-agent.exe', {}, 1],
  ['d:\\profiles\\me\\x.exe', { USERPROFILE: 'D:\\Profiles\\me' }, 1],
  ['C:\\Program Files\\Loam\\loam-agent.exe', { USERPROFILE: 'C:\\Users\\me', TEMP: 'C:\\Users\\me\\Temp' }, 0],
  ['/home/me/loam-agent', {}, 1],
  ['/homes/loam-agent', {}, 0],
])('a program where users can write is warned of: %s', (program, environment, count) => {
  expect(placeWarnings(program, environment)).toHaveLength(count);
});
