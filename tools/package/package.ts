import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { root } from '../lib/paths.mjs';
import { say } from '../lib/run.mjs';
import { agentVersion, bundleAgent } from './bundle.ts';
import { makeExecutable } from './executable.ts';
import { freshPlatforms, packageDirectory, recordPackage } from './manifest.ts';
import { platforms } from './platforms.ts';

const { values: options, positionals } = parseArgs({
  options: { 'if-stale': { type: 'boolean' } },
  allowPositionals: true,
});

async function main(): Promise<void> {
  const names = platforms.map(({ platform }) => platform);
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`There is no package for ${unknown.join(', ')}; there are ${names.join(' and ')}.`);
  const bundle = await bundleAgent();
  const digestOf = (name: string): string => {
    const platform = platforms.find((each) => each.platform === name);
    return createHash('sha256').update(JSON.stringify(platform)).update(bundle.script).digest('hex');
  };
  const fresh = options['if-stale'] ? freshPlatforms(packageDirectory, digestOf) : [];
  const wanted = platforms.filter(
    ({ platform }) => (positionals.length === 0 || positionals.includes(platform)) && !fresh.includes(platform),
  );
  if (wanted.length === 0) return;
  mkdirSync(packageDirectory, { recursive: true });
  const about = { version: agentVersion(), commit: commit() };
  for (const platform of wanted) {
    await makeExecutable(bundle, platform, packageDirectory);
    const { name, size, sha256 } = await recordPackage(packageDirectory, platform.platform, platform.fileName, {
      ...about,
      digest: digestOf(platform.platform),
    });
    say(`dist/agent/${name}  ${(size / 2 ** 20).toFixed(1)} MiB  sha256 ${sha256}`);
  }
}

function commit(): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
