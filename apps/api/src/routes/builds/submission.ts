import { createHash } from 'node:crypto';

import { LoamError } from '@loam/base';
import type { SubmitBuild } from '@loam/contracts';
import type { NewBuild, NewBuildSecret } from '@loam/db';
import { outlineSpec } from '@loam/spec';

import type { Services } from '../../plugins/services/index.ts';
import { readsContext, requireSpec } from '../../plugins/services/read-spec.ts';

const secretBytesMax = 1024 * 1024;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A build from a request, checked, with its secrets sealed. */
export async function prepareBuild(
  services: Services,
  body: SubmitBuild,
  createdBy: string,
): Promise<{ build: NewBuild; secrets: NewBuildSecret[] }> {
  const { spec, warnings } = requireSpec(
    body.spec,
    (body.secrets ?? []).map((secret) => secret.id),
  );
  const pool = body.pool ?? 'linux';
  if (body.context !== undefined && readsContext(spec)) await requireContext(services, body.context);
  const id = services.ids.next('build');
  const secrets = await sealSecrets(services, id, body.secrets ?? []);
  return {
    secrets,
    build: {
      id,
      title: body.title ?? null,
      pool,
      priority: body.priority ?? 0,
      spec: body.spec,
      specHash: createHash('sha256').update(body.spec).digest('hex'),
      context: body.context ?? null,
      secretIds: secrets.map((secret) => secret.id),
      secretNames: Object.fromEntries(
        secrets.flatMap(({ id: secret, secretName }) => (secretName ? [[secret, secretName]] : [])),
      ),
      timeoutMs: body.timeoutMs ?? null,
      limits: body.limits ?? {},
      refresh: body.refresh ?? false,
      warnings: [...warnings],
      plan: outlineSpec(spec).map((step) => ({ ...step, stage: [...step.stage] })),
      createdAt: services.clock.now(),
      createdBy,
      retryOf: null,
    },
  };
}

/** Has a new build looked at: at once in this process, and by a job in all the others. */
export function wakeBuild(services: Services, build: Pick<NewBuild, 'id' | 'pool' | 'priority'>): void {
  services.bus.publish('build', { id: build.id });
  services.bus.publish('work', { pool: build.pool });
  // Not waited for: the row is the truth, and the janitor gives a job to every build that lacks one.
  services.queue.enqueueBuild(build.pool, { buildId: build.id, priority: build.priority }).catch(() => undefined);
}

async function requireContext(services: Services, digest: string): Promise<void> {
  const missing = await services.db.contexts.missing(digest, services.clock.now());
  if (missing === undefined) throw LoamError.of('api.context-unknown', { digest });
  if (missing.length > 0) throw LoamError.of('api.context-incomplete', { digest, count: missing.length });
}

async function sealSecrets(
  services: Services,
  buildId: string,
  inputs: NonNullable<SubmitBuild['secrets']>,
): Promise<NewBuildSecret[]> {
  const names = inputs.flatMap((input) => ('name' in input ? [input.name] : []));
  const known = new Set((await services.db.access.secretsNamed(names)).map((secret) => secret.name));
  const seen = new Set<string>();
  return inputs.map((input) => {
    const { id } = input;
    if (seen.has(id)) throw LoamError.of('api.bad-secret', { id, reason: 'is given twice' });
    seen.add(id);
    if ('name' in input) {
      if (!known.has(input.name)) throw LoamError.of('api.secret-unknown', { name: input.name });
      return { id, secretName: input.name, sealed: null };
    }
    const value = decodeSecret(id, input.value);
    return { id, secretName: null, sealed: services.sealer.seal(value, `build ${buildId} ${id}`) };
  });
}

/** Bytes of a secret that travelled as base64. */
export function decodeSecret(id: string, text: string): Buffer {
  if (!base64.test(text)) throw LoamError.of('api.bad-secret', { id, reason: 'has a value that is not base64' });
  const value = Buffer.from(text, 'base64');
  if (value.length > secretBytesMax) throw LoamError.of('api.bad-secret', { id, reason: 'is too long' });
  return value;
}
