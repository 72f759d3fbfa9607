import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { RegistriesConfig, RegistryConfig } from '@loam/backend-containerd';
import { LoamError } from '@loam/base';

const fields = new Set(['mirrors', 'plainHttp', 'credentials']);

/**
 * Credentials, mirrors and plain-http hosts: `registries.json` in the state directory, by registry host. Whatever it does not
 * know is refused: a misspelt field would otherwise show as a registry that does not answer. Throws `agent.registries-invalid`.
 */
export function readRegistries(stateDirectory: string): RegistriesConfig {
  const file = join(stateDirectory, 'registries.json');
  const refuse = (reason: string, cause?: unknown): LoamError =>
    LoamError.of('agent.registries-invalid', { file, reason }, { cause });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse('it is not JSON', cause);
  }
  if (!isObject(value)) throw refuse('it is no object of registries by host');
  for (const [host, registry] of Object.entries(value)) {
    const problem = problemOf(registry);
    if (problem !== undefined) throw refuse(`${host}: ${problem}`);
  }
  return value as Record<string, RegistryConfig>;
}

function problemOf(registry: unknown): string | undefined {
  if (!isObject(registry)) return 'it is no object';
  const unknown = Object.keys(registry).find((name) => !fields.has(name));
  if (unknown !== undefined) return `there is no field ${unknown}`;
  const { mirrors = [], plainHttp = false, credentials } = registry;
  if (!Array.isArray(mirrors) || !mirrors.every((host) => typeof host === 'string' && !host.includes('://'))) {
    return 'mirrors is no list of hosts';
  }
  if (typeof plainHttp !== 'boolean') return 'plainHttp is neither true nor false';
  if (credentials === undefined) return undefined;
  if (!isObject(credentials)) return 'credentials is no object';
  const isComplete = typeof credentials['username'] === 'string' && typeof credentials['password'] === 'string';
  return isComplete ? undefined : 'credentials lacks username or password';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
