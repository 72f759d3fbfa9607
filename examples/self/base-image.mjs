import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ensurePrograms } from '../../tools/lib/debian.mjs';
import { workspaceNode } from '../../tools/lib/node.mjs';
import { run, say } from '../../tools/lib/run.mjs';

export const baseImageName = 'loam.local/debian-node:bookworm';

/** What a running system fills, and what apt keeps for later: no part of an image. */
const leftOut = ['./proc/*', './sys/*', './dev/*', './var/cache/apt/*', './var/lib/apt/lists/*', './var/log/*'];

/**
 * Makes an OCI archive of Debian's base system with the workspace's own Node and npm, and gives its path. It is made once
 * and kept, since two runs of debootstrap differ in their bytes. Needs root and a Debian mirror.
 */
export async function makeBaseImage(directory, { mirror, npmVersion }) {
  const archive = path.join(directory, 'debian-node.tar');
  if (existsSync(archive)) return archive;
  const missing = await ensurePrograms(['debootstrap']);
  if (missing.length > 0) throw new Error(`This needs a Debian package: apt-get install ${missing.join(' ')}`);
  const work = path.join(directory, 'making');
  rmSync(work, { recursive: true, force: true });
  const rootfs = path.join(work, 'rootfs');
  mkdirSync(rootfs, { recursive: true });
  say(`Making ${baseImageName} from ${mirror} …`);
  await must('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', rootfs, mirror]);
  await addNode(rootfs, work, npmVersion);
  const layout = path.join(work, 'layout');
  await writeLayout(rootfs, layout);
  await must('tar', ['-C', layout, '-cf', path.join(work, 'image.tar'), 'oci-layout', 'index.json', 'blobs']);
  renameSync(path.join(work, 'image.tar'), archive);
  rmSync(work, { recursive: true, force: true });
  return archive;
}

/** The Node that the workspace brings from npm, and npm itself out of its own package. */
async function addNode(rootfs, work, npmVersion) {
  const local = path.join(rootfs, 'usr/local');
  copyFileSync(workspaceNode(), path.join(local, 'bin/node'));
  await must('npm', ['pack', '--silent', '--pack-destination', work, `npm@${npmVersion}`]);
  const npm = path.join(local, 'lib/node_modules/npm');
  mkdirSync(npm, { recursive: true });
  await must('tar', ['-C', npm, '--strip-components=1', '--no-same-owner', '-xzf', path.join(work, `npm-${npmVersion}.tgz`)]);
  for (const name of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, path.join(local, 'bin', name));
    await must('chmod', ['755', path.join(npm, `bin/${name}-cli.js`)]);
  }
}

/** One layer, its configuration, a manifest and an index, each under its digest (OCI image layout 1.0). */
async function writeLayout(rootfs, layout) {
  const blobs = path.join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const layerFile = path.join(layout, 'layer.tar');
  const excludes = leftOut.map((pattern) => `--exclude=${pattern}`);
  await must('tar', ['-C', rootfs, '--numeric-owner', '--sort=name', ...excludes, '-cf', layerFile, '.']);
  const layer = { digest: await digestOf(createReadStream(layerFile)), size: (await stat(layerFile)).size };
  renameSync(layerFile, path.join(blobs, layer.digest.slice('sha256:'.length)));

  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const blob = async (value) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = await digestOf([bytes]);
    await writeFile(path.join(blobs, digest.slice('sha256:'.length)), bytes);
    return { digest, size: bytes.length };
  };
  const config = await blob({
    os: 'linux',
    architecture,
    config: { Env: ['PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await blob({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  });
  const annotations = { 'org.opencontainers.image.ref.name': baseImageName };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType: manifestType, ...manifest, platform: { os: 'linux', architecture }, annotations }],
  };
  await writeFile(path.join(layout, 'index.json'), JSON.stringify(index));
  await writeFile(path.join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

async function digestOf(chunks) {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

async function must(command, args) {
  const { code, output } = await run(command, args, { quiet: true });
  if (code !== 0) throw new Error(`${command} failed:\n${output}`);
}
