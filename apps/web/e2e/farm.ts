import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { build } from 'vite';

const webDirectory = fileURLToPath(new URL('..', import.meta.url));
const apiMain = fileURLToPath(new URL('../../api/src/main.ts', import.meta.url));

/** A control plane of its own, with the web UI as it is built from these sources, and no agent. */
export interface Farm {
  readonly url: string;
  readonly loginUrl: string;
  readonly token: string;
  /** Gives the farm packages of the agent to give away, that are none, or takes them from it. */
  offerPackages(platforms: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Builds the UI, starts the API on its embedded Postgres, and waits until it is ready. */
export async function startFarm(): Promise<Farm> {
  const directory = await mkdtemp(join(tmpdir(), 'loam-web-'));
  const dist = join(directory, 'web');
  await build({ root: webDirectory, logLevel: 'error', build: { outDir: dist } });
  const packages = join(directory, 'packages');
  await mkdir(packages);
  await writeFile(join(packages, 'stand-in'), 'x');
  const offerPackages = async (platforms: readonly string[]): Promise<void> => {
    const files = platforms.map((platform) => ({ platform, name: 'stand-in', size: 1, sha256: 'ab'.repeat(32) }));
    await writeFile(join(packages, 'manifest.json'), JSON.stringify({ version: '0.0.0', files }));
  };
  await offerPackages(['linux-x64', 'windows-x64']);
  const api = spawn(process.execPath, [apiMain], {
    env: {
      ...process.env,
      LOAM_DATA: join(directory, 'data'),
      LOAM_LISTEN: '127.0.0.1:0',
      LOAM_WEB_DIST: dist,
      LOAM_AGENT_PACKAGES: packages,
      LOAM_STARTER: '1',
      LOAM_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    await end(api);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const ready = await readyLine(api);
    return { url: ready.url, loginUrl: ready.loginUrl, token: ready.starterToken, offerPackages, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Ready {
  readonly url: string;
  readonly loginUrl: string;
  readonly starterToken: string;
}

async function readyLine(api: ChildProcess): Promise<Ready> {
  const complaints: string[] = [];
  api.stderr!.on('data', (data: Buffer) => complaints.push(data.toString()));
  for await (const line of createInterface({ input: api.stdout! })) {
    if (line.startsWith('{"ready":true')) return JSON.parse(line) as Ready;
  }
  throw new Error(`the API did not start: ${complaints.join('').slice(-2000)}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** How long a page may take, which on a busy machine is long. Only what hangs shall fail. */
const patienceMs = 120_000;

/** A window of its own. */
export async function openContext(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(patienceMs);
  return context;
}

/** Debian's Chromium. A test that lacks it fails and says so. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env['LOAM_CHROMIUM'] ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: apt-get install chromium`);
  return chromium.launch({
    executablePath,
    timeout: patienceMs,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
