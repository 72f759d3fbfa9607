import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import { replaceFileSync } from '@loam/files';

import { protectDirectory } from './protect-directory.ts';
import { pickWindowsSettings, type WindowsSettings } from './windows-settings.ts';

/** What `enrol` writes: which farm this agent belongs to, and how it proves that. */
export interface FarmConfig {
  readonly url: string;
  readonly agentId: string;
  readonly credential: string;
  readonly name: string;
  readonly pool: string;
  readonly slots: number;
  /** What `enrol` was told about the host, as written. */
  readonly windows?: WindowsSettings;
}

const configFile = 'config.json';
export const identityFile = 'identity';

/** Throws `agent.not-enrolled` and `agent.config-invalid`. */
export function readFarmConfig(stateDirectory: string): FarmConfig {
  const file = join(stateDirectory, configFile);
  const text = readIfThere(file);
  if (text === undefined) throw LoamError.of('agent.not-enrolled', { file });
  const config = parseJson(file, text) as Partial<FarmConfig>;
  for (const name of ['url', 'agentId', 'credential', 'name', 'pool'] as const) {
    if (typeof config[name] !== 'string') throw invalid(file, `it has no ${name}`);
  }
  if (!Number.isInteger(config.slots) || (config.slots ?? 0) < 1) throw invalid(file, 'slots is no positive number');
  if (!URL.canParse(config.url ?? '')) throw invalid(file, 'url is no address');
  return config as FarmConfig;
}

/** What `enrol` was told about a Windows host; nothing when it is not enrolled, or its configuration is of no use. */
export function readKeptSettings(stateDirectory: string): WindowsSettings {
  const file = join(stateDirectory, configFile);
  const { windows } = parseJson(file, readIfThere(file) ?? '{}') as Partial<FarmConfig>;
  return pickWindowsSettings(windows ?? {});
}

/** Only root may read it: the credential is in it. */
export function writeFarmConfig(stateDirectory: string, config: FarmConfig): string {
  const file = join(stateDirectory, configFile);
  writePrivate(file, `${JSON.stringify(config, undefined, 2)}\n`);
  return file;
}

/** The id that marks everything of this agent in containerd: made once per state directory, whatever farm it belongs to. */
export function readIdentity(stateDirectory: string): string {
  const file = join(stateDirectory, identityFile);
  const known = readIfThere(file)?.trim();
  if (known) return known;
  const identity = randomUUID();
  writePrivate(file, `${identity}\n`);
  return identity;
}

/** Makes the state directory. Others may pass through it, since a step's user has to reach what is mounted from it. */
export function makeStateDirectory(stateDirectory: string): void {
  const isNew = mkdirSync(stateDirectory, { recursive: true, mode: 0o711 }) !== undefined;
  if (isNew) protectDirectory(stateDirectory);
}

/** Makes the state directory, and closes one that was there already, too: for what puts the credential into it. */
export function claimStateDirectory(stateDirectory: string, protect = protectDirectory): void {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o711 });
  protect(stateDirectory);
}

/** Where an agent keeps its state when nobody says. */
export function defaultStateDirectory(): string {
  if (process.platform !== 'win32') return '/var/lib/loam-agent';
  return join(process.env['ProgramData'] ?? 'C:\\ProgramData', 'loam-agent');
}

function writePrivate(file: string, text: string): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, text, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  replaceFileSync(temporary, file);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw LoamError.of('agent.config-invalid', { file, reason: 'it is not JSON' }, { cause });
  }
}

function invalid(file: string, reason: string): LoamError {
  return LoamError.of('agent.config-invalid', { file, reason });
}
