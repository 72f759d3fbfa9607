import { readFile } from 'node:fs/promises';

import { LoamError, isLoamError } from '@loam/base';

import type { App, Route, RouteContext } from '../app.ts';
import { readAgentPackages, type AgentPackage } from './agent-packages.ts';
import { readPublicCa } from './public-ca.ts';
import { fillIn, type ScriptValues } from './fill-in.ts';
import { farmOrigin } from './origin.ts';

const scripts = {
  sh: {
    path: '/install.sh',
    platform: 'linux-x64',
    source: new URL('../../../../../infra/linux/install.sh', import.meta.url),
  },
  ps1: {
    path: '/install.ps1',
    platform: 'windows-x64',
    source: new URL('../../../../../infra/windows/install.ps1', import.meta.url),
  },
} as const;

/**
 * The install scripts, filled in with the address of this farm and the digest of the package that it gives away. They are
 * there also when packages were not built: then the script says so, where a browser's error page would be lost in a pipe.
 */
export const installScripts: Route = (app, context) => {
  serve(app, context, 'sh');
  serve(app, context, 'ps1');
  app.get('/install-ca.pem', { config: { auth: 'nobody' }, schema: { hide: true } }, async (_request, reply) => {
    const ca = await readPublicCa(context.config.publicCaFile);
    if (ca === null) throw LoamError.of('api.no-such-endpoint', { method: 'GET', path: '/install-ca.pem' });
    return reply.type('application/x-pem-file').header('cache-control', 'no-store').send(ca.pem);
  });
};

function serve(app: App, { config }: RouteContext, dialect: keyof typeof scripts): void {
  const { path, platform, source } = scripts[dialect];
  app.get(path, { config: { auth: 'nobody' }, schema: { hide: true } }, async (request, reply) => {
    const text = await readFile(source, 'utf8');
    const offer = await offerOf(config.packagesDirectory, platform);
    const filled = fillIn(dialect, text, { FarmUrl: farmOrigin(request, config), ...offer });
    return reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(filled);
  });
}

async function offerOf(directory: string, platform: string): Promise<ScriptValues> {
  try {
    const { version, files } = await readAgentPackages(directory);
    const file: AgentPackage | undefined = files.find((candidate) => candidate.platform === platform);
    if (file === undefined) return { PackageProblem: `this farm has no package for ${platform}` };
    return {
      PackageName: file.name,
      PackageSize: String(file.size),
      PackageSha256: file.sha256,
      PackageVersion: version,
    };
  } catch (error) {
    if (!isLoamError(error, 'api.packages-missing')) throw error;
    return { PackageProblem: error.message };
  }
}
