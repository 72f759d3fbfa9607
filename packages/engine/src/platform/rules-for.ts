import type { Platform } from '@loam/backend';

import { linuxRules } from './linux.ts';
import type { PlatformRules } from './rules.ts';
import { windowsRules } from './windows.ts';

export function rulesFor(platform: Platform): PlatformRules {
  return platform.os === 'windows' ? windowsRules : linuxRules;
}
