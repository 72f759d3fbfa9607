/** What is tried on node.exe: what was written for it (*.lane.ts), and of the unit tests those of code that meets the platform. */
export const suites = [
  '{apps,packages}/*/src/**/*.lane.ts',
  'apps/agent/src/**/!(*.it).test.ts',
  'packages/backend-containerd/src/**/!(*.it).test.ts',
  'packages/containerd/src/**/!(*.it).test.ts',
  'packages/containerd-model/src/**/!(*.it).test.ts',
  'packages/context/src/**/!(*.it).test.ts',
  'packages/engine/src/platform/**/!(*.it).test.ts',
  'packages/files/src/**/!(*.it).test.ts',
];

/** Files and folders among them that cannot run there, and why. */
export const skippedFiles = {
  'apps/agent/src/containerd-process.test.ts': 'only Linux has a containerd of the agent’s own',
  'packages/backend-containerd/src/agent-lock.test.ts':
    'runs sources in child processes; agent-lock.lane.ts is its likeness',
  'packages/backend-containerd/src/hcs/cni/windows-cni-networks.test.ts': 'its plugin is a script of Linux',
  'packages/backend-containerd/src/runc/': 'Linux only',
  'packages/context/src/manifest-context.test.ts':
    'its project has a symbolic link, and those of Wine are not like those of Windows',
};

const slow = 'ten thousand files take Wine too long';
const keptName = 'Wine 8 keeps the name of a deleted file until it is closed; NTFS does not';
/** Single tests that cannot pass there although Windows should, by file and name. A name that is not there any more is an error. */
export const skippedTests = {
  'apps/agent/src/doctor/checks/judgements.test.ts': {
    'keeps the credential to itself': 'paths and modes of Linux',
  },
  'apps/agent/src/spool/file-log-spool.test.ts': {
    'lets the oldest logs go when they take too much, but not from whoever holds the writer': keptName,
    'knows over a restart whether the farm has a log, and that a new execution makes a new one': keptName,
    'gives a log also when the farm hears of it, or it has to go, before somebody reads': keptName,
  },
  'packages/backend-containerd/src/hcs/conformance.test.ts': {
    '10,000 files in one layer arrive, and progress counts their bytes': slow,
  },
  'packages/backend-containerd/src/hcs/pipe-stdio.test.ts': {
    'fails when a name is taken, and leaves none of its own': 'Wine lets two servers have one pipe name',
  },
  'packages/backend-containerd/src/store/caches.test.ts': {
    'a cache that is removed while it is looked at is not listed': 'a FIFO of Linux',
  },
  'packages/context/src/local-context.test.ts': {
    'lists files, directories and links below a source, sorted by path, parents first': 'symbolic links',
    'looks at nothing but what it is asked for': 'a socket in a directory',
    'refuses what leads out of the project': 'symbolic links',
    'refuses names that are no text, and takes names in any script': 'names that NTFS refuses',
    '10,000 files': slow,
  },
};

/** The exception in `skippedFiles` that a file of tests falls under. */
export function exceptionOf(file) {
  return Object.keys(skippedFiles).find((name) => file === name || (name.endsWith('/') && file.startsWith(name)));
}
