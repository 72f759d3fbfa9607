import type { ImageConfig } from '@loam/backend';
import { isDigest, type Digest } from '@loam/base';

import { list, object, parseJson, parsePlatform, text, type ManifestPlatform } from './manifest.ts';

/** An image's configuration blob, as far as builds need it. */
export interface ParsedConfig {
  readonly platform: ManifestPlatform;
  readonly config: ImageConfig;
  readonly diffIds: readonly Digest[];
}

/**
 * Reads a configuration blob. What is absent is undefined; what is present and malformed throws a plain Error, because a
 * step that ran with half of an image's environment would be cached for good.
 * Source: OCI image-spec config.md; `Shell` is Docker's addition.
 */
export function parseImageConfig(bytes: Uint8Array): ParsedConfig {
  const json = object(parseJson(bytes), 'its configuration');
  const config = json['config'] === undefined || json['config'] === null ? {} : object(json['config'], 'config');
  const rootfs = object(json['rootfs'], 'rootfs');
  return {
    platform: parsePlatform(json),
    config: {
      env: strings(config['Env'], 'Env').map((entry) => {
        const equals = entry.indexOf('=', 1);
        if (equals === -1) throw new Error(`its environment has "${entry}", which is not NAME=VALUE`);
        return [entry.slice(0, equals), entry.slice(equals + 1)] as const;
      }),
      user: optionalText(config['User'], 'User'),
      workdir: optionalText(config['WorkingDir'], 'WorkingDir'),
      shell: config['Shell'] === undefined || config['Shell'] === null ? undefined : strings(config['Shell'], 'Shell'),
    },
    diffIds: strings(rootfs['diff_ids'], 'diff_ids').map((id) => {
      if (!isDigest(id)) throw new Error(`"${id}" is not a digest`);
      return id;
    }),
  };
}

function strings(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  return list(value, what).map((item) => {
    if (typeof item !== 'string') throw new Error(`${what} is not a list of strings`);
    return item;
  });
}

function optionalText(value: unknown, what: string): string | undefined {
  if (value !== undefined && value !== null && typeof value !== 'string') throw new Error(`${what} is not a string`);
  return text(value);
}
