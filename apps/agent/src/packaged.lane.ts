import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';

import { baseLayer, ContainerdModel, layerTar } from '@loam/containerd-model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// The agent as one .exe (LOAM_LANE_AGENT), alone and on the model of containerd over a named pipe.
const home = mkdtempSync(join(tmpdir(), 'loam packaged '));
const state = join(home, 'state');
const hostBuild = Number(release().split('.')[2]);
let model: ContainerdModel;

beforeAll(async () => {
  model = await ContainerdModel.start({
    address: `\\\\.\\pipe\\loam-packaged-${process.pid}`,
    rootDirectory: join(home, 'root'),
    host: { build: hostBuild },
  });
});
afterAll(async () => {
  await model.close();
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

/** Its output goes to files: under Wine node.exe takes no pipe. */
async function agent(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = process.env['LOAM_LANE_AGENT'] ?? '';
  const files = [join(home, 'stdout'), join(home, 'stderr')] as const;
  const [stdout, stderr] = [openSync(files[0], 'w'), openSync(files[1], 'w')];
  const child = spawn(program, args, { cwd: home, stdio: ['ignore', stdout, stderr] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  for (const fd of [stdout, stderr]) closeSync(fd);
  return { code, stdout: readFileSync(files[0], 'utf8'), stderr: readFileSync(files[1], 'utf8') };
}

/** A base image of this host's build, as `docker save` writes one. */
async function writeImage(file: string, name: string): Promise<void> {
  const layer = await baseLayer({ build: hostBuild });
  const digest = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const config = {
    os: 'windows',
    architecture: 'amd64',
    'os.version': `10.0.${hostBuild}.1`,
    config: {},
    rootfs: { type: 'layers', diff_ids: [digest] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
  const entries = [
    { name: 'layer.tar', content: layer },
    { name: 'config.json', content: JSON.stringify(config) },
    { name: 'manifest.json', content: JSON.stringify(manifest) },
  ];
  writeFileSync(file, await layerTar(entries));
}

describe('the packaged agent', () => {
  it('says its version and its commands', async () => {
    expect(await agent('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\r?\n$/) });
    const { code, stdout } = await agent('--help');
    expect(code).toBe(0);
    expect(stdout).toContain('healthcheck');
    expect(stdout).toContain('service');
    expect((await agent('nonsense')).code).toBe(2);
  });

  it('says with a code that no containerd answers', async () => {
    const nowhere = '\\\\.\\pipe\\loam-nowhere';
    const { code, stdout, stderr } = await agent('healthcheck', '--json', '--state', state, '--containerd', nowhere);
    expect(code).not.toBe(0);
    expect(`${stdout}${stderr}`).toContain('containerd.unavailable');
    expect(`${stdout}${stderr}`).not.toMatch(/\n {4}at /);
  });

  it('builds on the model over named pipes: an import, a copy, a run, and hits the second time', async () => {
    const image = join(home, 'image.tar');
    await writeImage(image, 'loam.local/base:1');
    const onModel = ['--state', state, '--containerd', model.address];
    expect(await agent('image', 'import', image, ...onModel)).toMatchObject({ code: 0, stderr: '' });
    const project = join(home, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'greeting'), 'from the context');
    const spec = join(home, 'spec');
    const run = '(run (shell "type C:\\\\work\\\\greeting"))';
    writeFileSync(spec, `((from loam.local/base:1) (workdir /work) (copy (src greeting) (dst ./)) ${run})`);
    const first = await agent('build', project, '-f', spec, ...onModel);
    expect(first.stderr).toBe('');
    expect(first.stdout).toContain('from the context');
    expect(first.code).toBe(0);
    const again = await agent('build', project, '-f', spec, '--json', ...onModel);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('"hit"');
  });

  it('is healthy on the model, phase by phase', async () => {
    const onModel = ['--state', state, '--containerd', model.address, '--image', 'loam.local/base:1'];
    const { code, stdout } = await agent('healthcheck', '--json', ...onModel);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, image: 'loam.local/base:1' });
    expect(code).toBe(0);
  });

  it('examines itself, and says of each check what it found or why it could not look', async () => {
    const { stdout } = await agent('doctor', '--json', '--state', state, '--containerd', model.address);
    const { report } = JSON.parse(stdout) as {
      report: { platform: string; findings: { id: string; status: string }[] };
    };
    expect(report.platform).toBe('windows/x64');
    const status = Object.fromEntries(report.findings.map((finding) => [finding.id, finding.status]));
    expect(status).toMatchObject({
      'containerd.reachable': 'ok',
      'containerd.snapshotter': 'ok',
      'images.host-build': 'ok',
      'leaks.containers': 'ok',
      // Wine has no services of containers, and the doctor sees that.
      'windows.services': 'problem',
      'network.nat': 'problem',
      'agent.service': 'warning',
    });
  });
});
