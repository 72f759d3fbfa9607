import type { OsVersionRank } from '../fetcher/platform-match.ts';
import type { Isolation } from './windows-spec.ts';

/** How containers are kept apart on a host: by one way only, or in virtual machines where the image needs it. */
export type IsolationPolicy = Isolation | 'process-or-hyperv';

interface OsVersion {
  readonly majorMinor: string;
  readonly build: number;
  /** The patch level, fourth in the version. Not compared, but newer is better. */
  readonly revision: number;
}

/** Images from this build on run on newer hosts, too (reference §7.3). */
const stableBuilds = [20348, 26100];

/** Tags of Microsoft's base images by build (reference §7.3). */
const tags: readonly (readonly [build: number, tag: string])[] = [
  [17763, 'ltsc2019'],
  [20348, 'ltsc2022'],
  [25398, '23H2'],
  [26100, 'ltsc2025'],
];

function parseOsVersion(text: string): OsVersion | undefined {
  const [, majorMinor = '', build, revision = '0'] = /^(\d+\.\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return build === undefined ? undefined : { majorMinor, build: Number(build), revision: Number(revision) };
}

/** The oldest build that shares the host's kernel interface: an older host takes its own build only. */
function floorOf(hostBuild: number): number {
  return stableBuilds.findLast((build) => build < hostBuild) ?? hostBuild;
}

/**
 * In what an image of that version runs on a host of this one; undefined when not at all. An image that names no version
 * suits everywhere (reference §7.3, §8.2).
 */
export function isolationFor(image: string | undefined, host: string, policy: IsolationPolicy): Isolation | undefined {
  const preferred = policy === 'hyperv' ? 'hyperv' : 'process';
  if (image === undefined) return preferred;
  const wanted = parseOsVersion(image);
  const own = parseOsVersion(host);
  if (!wanted || !own || wanted.majorMinor !== own.majorMinor || wanted.build > own.build) return undefined;
  if (policy === 'hyperv') return 'hyperv';
  if (wanted.build >= floorOf(own.build)) return 'process';
  return policy === 'process-or-hyperv' ? 'hyperv' : undefined;
}

/** Images that share the host's kernel before those that need a virtual machine, then the newest (reference §8.2). */
export function rankWindowsVersion(host: string, policy: IsolationPolicy): OsVersionRank {
  return (image, wanted) => {
    const isolation = isolationFor(image, host, policy);
    if (isolation === undefined) return undefined;
    const version = image === undefined ? undefined : parseOsVersion(image);
    if (!version) return 0;
    if (wanted !== undefined && parseOsVersion(wanted)?.build !== version.build) return undefined;
    // Builds have five digits, revisions up to five.
    const newest = version.build * 1e6 + version.revision;
    return isolation === 'process' && policy !== 'process' ? newest + 1e12 : newest;
  };
}

/** The tag of Microsoft's base images for the newest long-term build that fits a host; undefined when none does. */
export function baseImageTag(host: string, policy: IsolationPolicy): string | undefined {
  const majorMinor = parseOsVersion(host)?.majorMinor ?? '';
  const lasting = tags.filter(([, tag]) => tag.startsWith('ltsc'));
  return lasting.findLast(([build]) => isolationFor(`${majorMinor}.${build}`, host, policy) !== undefined)?.[1];
}

/** The host and what would fit it, for a refusal. */
export function describeHost(host: string, policy: IsolationPolicy): string {
  const own = parseOsVersion(host);
  if (!own) return `Windows ${host}`;
  const fits = tags
    .filter(([build]) => isolationFor(`${own.majorMinor}.${build}`, host, policy) !== undefined)
    .map(([, tag]) => tag);
  const floor = policy === 'process' ? floorOf(own.build) : 0;
  const range = floor === own.build ? `build ${own.build}` : `builds ${floor === 0 ? 'up' : floor} to ${own.build}`;
  return `Windows build ${own.build} (it runs ${range}${fits.length > 0 ? `: ${fits.join(', ')}` : ''})`;
}
