import { readFileSync } from 'node:fs';

/** Put in by tools/package: the single executable has no package.json beside it. */
declare const LOAM_AGENT_VERSION: string | undefined;

/** Of this program. */
export function agentVersion(): string {
  if (typeof LOAM_AGENT_VERSION === 'string') return LOAM_AGENT_VERSION;
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
