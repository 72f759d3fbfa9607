import type { Limits, Mount, User } from '@loam/backend';
import { LoamError } from '@loam/base';

import { cmdCommandLine } from './command-line.ts';

export type Isolation = 'process' | 'hyperv';

/** All that a container's specification depends on. Pure data: what had to be looked up has been. */
export interface WindowsSpecInput {
  readonly argv: readonly string[];
  /** Absolute, with a drive. It must exist. */
  readonly cwd: string;
  /** In order; later entries of one name, in whatever case, win. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly user: User;
  readonly hostname: string;
  readonly isolation: Isolation;
  /** The GUID of an HCN namespace; without one the container has no network at all. */
  readonly networkNamespace: string | undefined;
  readonly limits: Limits;
  /** Caches and secrets. */
  readonly mounts: readonly Mount[];
  /** Of the host: what fractions of a processor are counted in. */
  readonly hostProcessors: number;
}

const ociVersion = '1.1.0';
/** Computer names are shorter than other hosts' names. That HCS refuses longer ones is unverified. */
const maxHostname = 15;
/** `maximum` counts in hundredths of a percent of the host (reference §4.3). */
const wholeHost = 10_000;
/** What a utility VM gets unless the build has limits: its own defaults (two processors, 1 GiB) are small for a compiler. */
const vmDefaults: Limits = { cpus: 2, memoryBytes: 4 * 2 ** 30 };

/**
 * The OCI runtime specification of one step, for runhcs (reference §4.2–4.5).
 *
 * It has no `layerFolders`, since the root file system comes as mounts with the task, and never both; `annotations` is there
 * although empty, because the shim writes into it; `root` has no path; mounts have the type `""`, which both isolations take.
 *
 * @throws LoamError `backend.unix-user`, `backend.command-unsupported`
 */
export function buildWindowsSpec(input: WindowsSpecInput): object {
  const { argv, cwd, hostname, isolation, networkNamespace } = input;
  return {
    ociVersion,
    hostname: hostname.slice(0, maxHostname),
    annotations: {},
    root: { path: '' },
    process: { ...windowsCommand(argv), cwd, env: windowsEnvironment(input.env), user: windowsUser(input.user) },
    mounts: input.mounts.map(mount),
    windows: {
      ignoreFlushesDuringBoot: true,
      resources: resources(input),
      ...(networkNamespace === undefined ? {} : { network: { allowUnqualifiedDNSQuery: true, networkNamespace } }),
      ...(isolation === 'hyperv' ? { hyperv: {} } : {}),
    },
  };
}

/** How a process is told its program: `cmd` by the whole line, any other by its arguments. Both is never set. */
export function windowsCommand(argv: readonly string[]): { commandLine: string } | { args: string[] } {
  const commandLine = cmdCommandLine(argv);
  return commandLine === undefined ? { args: [...argv] } : { commandLine };
}

/**
 * `NAME=VALUE`, each name once whatever its case: Windows finds `Path` under `PATH`, and with both given which one wins is
 * chance. The last entry decides value and spelling. An empty value means that the variable is not set, which is what
 * `set NAME=` means on Windows and what HCS makes of it anyway (reference §4.3): it takes an earlier value away.
 */
export function windowsEnvironment(env: WindowsSpecInput['env']): string[] {
  const entries = new Map<string, string>();
  for (const [name, value] of env) {
    const key = name.toUpperCase();
    entries.delete(key);
    if (value !== '') entries.set(key, `${name}=${value}`);
  }
  return [...entries.values()];
}

/**
 * `ContainerAdministrator`, `ContainerUser` or a user of the image, by name: uids mean nothing (reference §4.3).
 *
 * @throws LoamError `backend.unix-user`
 */
export function windowsUser(user: User): { username: string } {
  if (user.kind === 'id') throw LoamError.of('backend.unix-user', { user: `uid ${user.uid}` });
  if (/^\d+(?::\d*)?$/.test(user.name)) throw LoamError.of('backend.unix-user', { user: `uid ${user.name}` });
  return { username: user.name };
}

function mount({ source, target, readonly }: Mount): object {
  return { source, destination: target.replaceAll('/', '\\'), type: '', options: [readonly ? 'ro' : 'rw'] };
}

function resources({ limits, isolation, hostProcessors }: WindowsSpecInput): object {
  const { cpus, memoryBytes } = isolation === 'hyperv' ? { ...vmDefaults, ...limits } : limits;
  return {
    ...(cpus === undefined ? {} : { cpu: processors(cpus, isolation, hostProcessors) }),
    ...(memoryBytes === undefined ? {} : { memory: { limit: memoryBytes } }),
  };
}

/** Whole processors as `count`, fractions as a share of the host; a virtual machine has whole ones only. */
function processors(cpus: number, isolation: Isolation, hostProcessors: number): object {
  if (isolation === 'hyperv' || Number.isInteger(cpus)) {
    return { count: Math.min(Math.max(1, Math.ceil(cpus)), hostProcessors) };
  }
  return { maximum: Math.min(Math.max(1, Math.round((cpus / hostProcessors) * wholeHost)), wholeHost) };
}
