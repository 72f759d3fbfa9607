import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import type { HcsOptions } from '@loam/backend-containerd';
import { LoamError } from '@loam/base';
import { decodeBytes, formatDiagnostic, parseSpec, type Spec } from '@loam/spec';

import { readKeptSettings } from '../config.ts';
import { pickWindowsSettings, readWindowsSettings, type WindowsSettings } from '../windows-settings.ts';

/** Options that every command has. */
export interface CommonOptions extends WindowsSettings {
  readonly state: string;
  readonly containerd?: string;
  readonly namespace: string;
  readonly keepContainerd?: boolean;
}

/** How to open the host for a command. */
export function hostOptions(options: CommonOptions): {
  stateDirectory: string;
  containerd: string | undefined;
  namespace: string;
  keepContainerd: boolean;
  windows: HcsOptions;
} {
  const stateDirectory = resolve(options.state);
  return {
    stateDirectory,
    windows: readWindowsSettings({ ...readKeptSettings(stateDirectory), ...pickWindowsSettings(options) }),
    containerd: options.containerd,
    namespace: options.namespace,
    keepContainerd: options.keepContainerd ?? false,
  };
}

/** Reads and checks a spec; `-` is standard input. Its complaints go to standard error. */
export function readSpec(file: string): Spec {
  const text = decodeBytes(readBytes(file === '-' ? 0 : file, file));
  const { spec, diagnostics } = parseSpec(text);
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  if (spec && errors.length === 0) return spec;
  for (const diagnostic of diagnostics) process.stderr.write(`${formatDiagnostic(diagnostic, text, file)}\n`);
  throw LoamError.of('agent.spec-invalid', { file, count: errors.length });
}

/** `ID:FILE` */
export function readSecret(argument: string): [id: string, value: Uint8Array] {
  const [, id, file] = /^([^:]+):(.+)$/s.exec(argument) ?? [];
  if (id === undefined || file === undefined) {
    throw LoamError.of('agent.bad-argument', { option: '--secret', value: argument, reason: 'it reads ID:FILE' });
  }
  return [id, readBytes(file, file)];
}

function readBytes(source: string | number, name: string): Uint8Array {
  try {
    return readFileSync(source);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw LoamError.of('agent.file-unreadable', { file: name, reason }, { cause });
  }
}
