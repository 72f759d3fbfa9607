import type { Limits, Network } from '@loam/backend';

/** All that a container's specification depends on. Pure data: what had to be looked up has been. */
export interface RuncSpecInput {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** In order; later entries of one name win. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  /** What HOME is when the environment does not say. */
  readonly home: string;
  readonly hostname: string;
  readonly network: Network;
  /** A network namespace that is there already, for the container to enter. */
  readonly networkNamespace?: string;
  readonly limits: Limits;
  /** Caches, secrets, and the files that make names resolvable. */
  readonly binds: readonly BindMount[];
  readonly cgroupsPath: string;
  /** Containers of one group are handed to one shim. */
  readonly group: string;
  readonly host: HostFeatures;
}

export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Of secrets: nothing in it may be executed or honoured as a device. */
  readonly inert?: boolean;
}

/** What the host's kernel has. */
export interface HostFeatures {
  /** cgroup v2 only. */
  readonly unifiedCgroups: boolean;
  /** Whether swap can be limited. */
  readonly swapAccounting: boolean;
  /** The most files that a process here may have open: a container cannot be given more where root may not raise limits. */
  readonly maxOpenFiles: number;
  /** How much this process is spared when memory runs out, which its children inherit (proc(5)): negative is spared. */
  readonly oomScoreAdj: number;
}

/** The version of the runtime specification that this writes. runc 1.0 and newer take it. */
const ociVersion = '1.0.2';
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const cpuPeriodUs = 100_000;
const minCpuQuotaUs = 1000;

/** Docker's default set. Source: moby oci/caps/defaults.go, containerd pkg/oci/spec.go. */
const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** The OCI runtime specification of one step, for runc. Source: runtime-spec 1.0.2; reference §12. */
export function buildRuncSpec(input: RuncSpecInput): object {
  const { maxOpenFiles } = input.host;
  return {
    ociVersion,
    hostname: input.hostname,
    root: { path: 'rootfs', readonly: false },
    process: {
      terminal: false,
      user: { uid: input.user.uid, gid: input.user.gid, additionalGids: [...input.user.additionalGids] },
      args: [...input.argv],
      env: environment(input),
      cwd: input.cwd,
      capabilities: {
        bounding: capabilities,
        permitted: capabilities,
        effective: capabilities,
      },
      // A step is not to be spared with the agent.
      ...(input.host.oomScoreAdj < 0 ? { oomScoreAdj: 0 } : {}),
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: Math.min(1024, maxOpenFiles), hard: maxOpenFiles }],
      // Steps use sudo and set-uid programs.
      noNewPrivileges: false,
    },
    mounts: [...systemMounts(input), ...input.binds.map(bindMount)],
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        ...(input.network === 'host' ? [] : [networkNamespace(input)]),
        ...(input.host.unifiedCgroups ? [{ type: 'cgroup' }] : []),
      ],
      resources: resources(input),
      maskedPaths,
      readonlyPaths,
    },
    // Source: containerd 1.6 and 2.0, runtime/v2/runc/manager, groupLabels.
    annotations: { 'io.containerd.runc.v2.group': input.group },
  };
}

function networkNamespace({ networkNamespace: path }: RuncSpecInput): object {
  return path === undefined ? { type: 'network' } : { type: 'network', path };
}

/** `NAME=VALUE`, each name once, with PATH and HOME filled in as Docker does. */
function environment(input: RuncSpecInput): string[] {
  const values = new Map<string, string>([
    ['PATH', defaultPath],
    ['HOME', input.home],
  ]);
  for (const [name, value] of input.env) {
    values.delete(name);
    values.set(name, value);
  }
  return [...values].map(([name, value]) => `${name}=${value}`);
}

function systemMounts(input: RuncSpecInput): object[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    // On cgroup v1 this would be a mount for each of ten controllers, and nothing in a build asks for it.
    ...(input.host.unifiedCgroups
      ? [
          {
            destination: '/sys/fs/cgroup',
            type: 'cgroup',
            source: 'cgroup',
            options: ['ro', 'nosuid', 'noexec', 'nodev'],
          },
        ]
      : []),
  ];
}

function bindMount({ source, target, readonly, inert }: BindMount): object {
  const options = ['rbind', 'rprivate', readonly ? 'ro' : 'rw', ...(inert ? ['nosuid', 'nodev', 'noexec'] : [])];
  return { destination: target, type: 'bind', source, options };
}

function resources({ limits, host }: RuncSpecInput): object {
  return {
    devices: [
      { allow: false, access: 'rwm' },
      ...allowedDevices.map(([type, major, minor]) => ({
        allow: true,
        type,
        ...(major === undefined ? {} : { major }),
        ...(minor === undefined ? {} : { minor }),
        access: major === undefined ? 'm' : 'rwm',
      })),
    ],
    ...(limits.cpus === undefined
      ? {}
      : { cpu: { quota: Math.max(minCpuQuotaUs, Math.round(limits.cpus * cpuPeriodUs)), period: cpuPeriodUs } }),
    ...(limits.memoryBytes === undefined
      ? {}
      : // The sum of memory and swap being the same means no swap.
        { memory: { limit: limits.memoryBytes, ...(host.swapAccounting ? { swap: limits.memoryBytes } : {}) } }),
  };
}

/** mknod of anything; null, zero, full, tty, random, urandom, console, ptmx, pts. Source: runc's own default devices. */
const allowedDevices: readonly (readonly [type: string, major?: number, minor?: number])[] = [
  ['c'],
  ['b'],
  ['c', 1, 3],
  ['c', 1, 5],
  ['c', 1, 7],
  ['c', 5, 0],
  ['c', 1, 8],
  ['c', 1, 9],
  ['c', 5, 1],
  ['c', 5, 2],
  ['c', 136],
];

const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
