// node examples/self/run.mjs [DIR]: Loam builds itself, or another checkout of it, on this machine. Needs Linux and root.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { ensureWorkspace } from '../../tools/lib/bootstrap.mjs';
import { ensurePrograms } from '../../tools/lib/debian.mjs';
import { root } from '../../tools/lib/paths.mjs';
import { run, say } from '../../tools/lib/run.mjs';
import { makeBaseImage } from './base-image.mjs';
import { debianMirror, npmVersion, registrySettings, secretIds } from './registry-settings.mjs';

const data = path.resolve(process.env.LOAM_SELF ?? path.join(root, '.loam/self'));
const state = path.join(data, 'agent');
const secrets = path.join(data, 'secrets');

try {
  await ensureWorkspace();
  const missing = await ensurePrograms(['containerd', 'runc', 'mount']);
  if (missing.length > 0) throw new Error(`This needs Debian packages: apt-get install ${missing.join(' ')}`);
  mkdirSync(data, { recursive: true });
  const mirror = process.env.DEBIAN_MIRROR ?? (await debianMirror());
  const archive = await makeBaseImage(data, { mirror, npmVersion: await npmVersion() });
  await agent('image', 'import', archive);

  const settings = await registrySettings();
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const given = secretIds.flatMap((id) => {
    const file = path.join(secrets, id);
    writeFileSync(file, settings[id], { mode: 0o600 });
    return ['--secret', `${id}:${file}`];
  });
  const project = path.resolve(process.argv[2] ?? root);
  say(`Building ${project} …`);
  await agent('build', '--file', path.join(root, 'examples/self/self.spec'), ...given, project);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode ||= 1;
} finally {
  rmSync(secrets, { recursive: true, force: true });
}

async function agent(...args) {
  const { code } = await run(process.execPath, [path.join(root, 'tools/bin/loam-agent.mjs'), ...args, '--state', state]);
  if (code === 0) return;
  process.exitCode = code;
  throw new Error(`loam-agent ${args[0]} failed.`);
}
