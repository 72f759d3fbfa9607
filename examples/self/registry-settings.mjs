import { existsSync, readFileSync } from 'node:fs';

import { run } from '../../tools/lib/run.mjs';

/** The secrets that the spec asks for. */
export const secretIds = ['npmrc', 'ca'];

/** Where the CA file lies in the container; the spec names the same path. */
const caTarget = '/run/secrets/ca.pem';

/**
 * How this machine reaches its registries, for the container: npm's settings as an .npmrc, and the certificates that it
 * trusts. They are handed to the build as secrets, so that they are in no layer and in no step id.
 */
export async function registrySettings() {
  const [registry, httpsProxy, proxy, noProxy, cafile] = await Promise.all(
    ['registry', 'https-proxy', 'proxy', 'noproxy', 'cafile'].map(npmSetting),
  );
  const lines = [
    ['registry', registry],
    ['https-proxy', httpsProxy],
    ['proxy', proxy],
    ['noproxy', noProxy],
    ['cafile', caTarget],
    ['audit', 'false'],
    ['fund', 'false'],
    ['update-notifier', 'false'],
  ];
  const caFiles = [cafile, process.env.NODE_EXTRA_CA_CERTS, '/etc/ssl/certs/ca-certificates.crt'];
  const caFile = caFiles.find((file) => file && existsSync(file));
  return {
    npmrc: lines
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
    ca: caFile ? readFileSync(caFile, 'utf8') : '',
  };
}

/** The first Debian mirror that apt is told of; the public one when there is none. */
export async function debianMirror() {
  const { output } = await run('apt-get', ['indextargets', '--format', '$(SITE)'], { quiet: true });
  return output.split('\n').find((line) => /^https?:.*\/debian\/?$/.test(line)) ?? 'http://deb.debian.org/debian';
}

export async function npmVersion() {
  const { output } = await run('npm', ['--version'], { quiet: true });
  return output.trim();
}

async function npmSetting(name) {
  const { code, output } = await run('npm', ['config', 'get', name], { quiet: true });
  const value = code === 0 ? (output.trim().split('\n').at(-1) ?? '') : '';
  return value === 'null' || value === 'undefined' ? '' : value;
}
