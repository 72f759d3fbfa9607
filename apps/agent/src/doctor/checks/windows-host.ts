import { defineCheck, ok, problem, unknown, warning, type AnyCheck, type Verdict } from '../check.ts';
import { serviceState } from './agent-service.ts';

/** The Host Compute Network API begins with this build: Server 2019 (reference §6.2). */
const oldestBuild = 17763;

export const windowsBuild = defineCheck<{ osVersion: string; architecture: string }>({
  id: 'windows.build',
  title: 'Build of Windows',
  only: 'windows',
  gather: ({ osVersion, architecture }) => Promise.resolve({ osVersion, architecture }),
  judge: judgeBuild,
});

export function judgeBuild({ osVersion, architecture }: { osVersion: string; architecture: string }): Verdict {
  const build = Number(/^\d+\.\d+\.(\d+)/.exec(osVersion)?.[1]);
  const seen = `Windows ${osVersion}, ${architecture}.`;
  if (Number.isNaN(build)) return unknown(seen, 'It is no version that can be read.');
  const remedy = 'Use Windows Server 2019 or newer, 64 bit.';
  if (build < oldestBuild) return problem(seen, 'Containers have no network, and no image fits.', remedy);
  if (architecture !== 'x64') return warning(seen, 'Base images of Windows are made for x64.', remedy);
  return ok(seen, 'Containers run on it.');
}

/** vmcompute comes with the feature Containers, hns with it too (reference §10, list of the doctor). */
export const windowsServices = defineCheck<readonly { name: string; state: string | undefined }[]>({
  id: 'windows.services',
  title: "Windows' container services",
  only: 'windows',
  gather: (host) =>
    Promise.all(
      ['vmcompute', 'hns'].map(async (name) => {
        const { stdout } = await host.run('sc.exe', ['query', name]);
        return { name, state: serviceState(stdout) };
      }),
    ),
  judge: judgeServices,
});

export function judgeServices(services: readonly { name: string; state: string | undefined }[]): Verdict {
  const seen = `${services.map(({ name, state }) => `${name}: ${state ?? 'not installed'}`).join(', ')}.`;
  if (services.some(({ state }) => state === undefined)) {
    return problem(
      seen,
      'No container can be started.',
      'Run `Install-WindowsFeature Containers` (Windows client: `Enable-WindowsOptionalFeature -Online -FeatureName Containers -All`) and restart the host.',
    );
  }
  const stopped = services.filter(({ state }) => state !== 'RUNNING');
  if (stopped.length === 0) return ok(seen, 'Containers and their networks can be made.');
  return warning(
    seen,
    'Windows may start them when they are needed; if it does not, steps fail.',
    `Run: ${stopped.map(({ name }) => `Start-Service ${name}`).join('; ')}`,
  );
}

const longPathsKey = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem';

/** Layers of base images have paths beyond 260 characters (reference §9.6, §10 #14). */
export const longPaths = defineCheck<{ enabled: boolean | undefined }>({
  id: 'windows.long-paths',
  title: 'Long paths',
  only: 'windows',
  async gather(host) {
    const { code, stdout } = await host.run('reg.exe', ['query', longPathsKey, '/v', 'LongPathsEnabled']);
    return { enabled: parseLongPaths(code, stdout) };
  },
  judge: ({ enabled }) => judgeLongPaths(enabled),
});

/** A value that is not there is 0. */
export function parseLongPaths(code: number, stdout: string): boolean | undefined {
  const [, value] = /LongPathsEnabled\s+REG_DWORD\s+0x([0-9a-f]+)/i.exec(stdout) ?? [];
  if (value !== undefined) return Number.parseInt(value, 16) !== 0;
  return code === 1 ? false : undefined;
}

export function judgeLongPaths(enabled: boolean | undefined): Verdict {
  if (enabled === undefined) return unknown('The registry could not be read.', 'Long paths may be cut off.');
  if (enabled) return ok('LongPathsEnabled is 1.', 'Deep trees can be unpacked and copied.');
  return warning(
    'LongPathsEnabled is 0 or not set.',
    'Unpacking and copying of deep trees may fail.',
    `Turn it on, and restart containerd and the agent. Run: reg.exe add ${longPathsKey} /v LongPathsEnabled /t REG_DWORD /d 1 /f`,
  );
}

export const windowsHostChecks: readonly AnyCheck[] = [windowsBuild, windowsServices, longPaths];
