import { expect, it } from 'vitest';

import { serviceCommand } from './service-command.ts';

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
