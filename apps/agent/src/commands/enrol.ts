import { hostname } from 'node:os';
import { resolve } from 'node:path';

import { isLoamError, LoamError } from '@loam/base';
import { createClient } from '@loam/contracts';

import { claimStateDirectory, readFarmConfig, writeFarmConfig } from '../config.ts';
import { defaultServiceName } from '../service/host-events.ts';
import { openHostEvents } from '../service/open-host-events.ts';
import { parseSlots } from '../quantities.ts';
import { pickWindowsSettings, readWindowsSettings, type WindowsSettings } from '../windows-settings.ts';

export interface EnrolOptions extends WindowsSettings {
  readonly state: string;
  readonly url: string;
  /** `-` is standard input; without it the environment has it: arguments are seen by every user of a host. */
  readonly token?: string;
  readonly name?: string;
  readonly slots: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `loam-agent enrol`: trades a one-time token for the agent's own credential. The pool is the token's. */
export async function enrol(options: EnrolOptions): Promise<number> {
  const stateDirectory = resolve(options.state);
  const slots = parseSlots(options.slots);
  const name = options.name ?? hostname();
  const windows = pickWindowsSettings(options);
  readWindowsSettings(windows);
  if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? '')) {
    throw LoamError.of('agent.bad-argument', { option: '--url', value: options.url, reason: 'write http(s)://HOST' });
  }
  const url = new URL(options.url).origin;
  const farm = enrolledFarm(stateDirectory);
  if (farm !== undefined && !options.force) throw LoamError.of('agent.already-enrolled', { url: farm });
  // Before the token is spent: what follows must not fail on a directory that cannot be written.
  claimStateDirectory(stateDirectory);
  const token = await readToken(options.token);
  const client = createClient({ url });
  const { agentId, credential, pool } = await client.enrol({ token, name, slots });
  const file = writeFarmConfig(stateDirectory, { url, agentId, credential, name, pool, slots, windows });
  const events = await openHostEvents(defaultServiceName);
  events.report('enrolled', `This host is the agent ${name} (${agentId}) in the pool ${pool} of ${url}.`);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ agentId, name, pool, slots, url })}\n`
      : `Enrolled as ${name} (${agentId}) in the pool ${pool} of ${url}.\nThe credential is in ${file}. Start the agent with: loam-agent run\n`,
  );
  return 0;
}

async function readToken(option: string | undefined): Promise<string> {
  if (option !== '-') {
    const token = option ?? process.env['LOAM_ENROL_TOKEN'];
    if (token) return token;
    throw LoamError.of('agent.bad-argument', {
      option: '--token',
      value: '',
      reason: 'give it, or - and the token on standard input, or set LOAM_ENROL_TOKEN',
    });
  }
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += String(chunk);
  return text.trim();
}

function enrolledFarm(stateDirectory: string): string | undefined {
  try {
    return readFarmConfig(stateDirectory).url;
  } catch (error) {
    if (isLoamError(error, 'agent.not-enrolled', 'agent.config-invalid')) return undefined;
    throw error;
  }
}
