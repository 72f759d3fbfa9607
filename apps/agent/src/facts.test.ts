import { expect, it } from 'vitest';

import { describePlatform } from './facts.ts';

it('a Windows host is told with its build, a Linux host without its kernel', () => {
  expect(describePlatform({ os: 'windows', architecture: 'amd64' }, '10.0.20348')).toBe('windows/amd64:10.0.20348');
  expect(describePlatform({ os: 'linux', architecture: 'arm64' }, '6.1.0')).toBe('linux/arm64');
});
