/** The Windows machine that the model stands for. */
export interface HostFacts {
  /** Third number of the build: 20348 for Server 2022 (reference §7.3). */
  readonly build: number;
  /** Whether the Hyper-V feature is there (reference §10 number 3). */
  readonly hyperV: boolean;
  /** Whether an HCN namespace of that GUID exists; without it any well-formed one does. */
  readonly hasNetworkNamespace: ((guid: string) => boolean) | undefined;
}

/** Where a base image says its build in the model: on Windows it is in the kernel's version resource. */
export const buildFile = 'Windows/System32/ntoskrnl.exe';
/** Where an image says its local users in the model, one a line: on Windows it is a registry hive. */
export const usersFile = 'Windows/System32/config/SAM';

const builtInUsers = ['containeradministrator', 'containeruser', 'nt authority\\system'];

/** Whether an image's build may run on a host under process isolation (reference §7.3). */
export function canShareKernel(imageBuild: number, hostBuild: number): boolean {
  if (hostBuild < 20348) return imageBuild === hostBuild;
  const floor = hostBuild > 26100 ? 26100 : 20348;
  return imageBuild >= floor && imageBuild <= hostBuild;
}

/** The accounts that `process.user.username` may name (reference §4.3); empty is the image's default. */
export function isKnownUser(name: string, localUsers: readonly string[]): boolean {
  const wanted = name.toLowerCase();
  return name === '' || [...builtInUsers, ...localUsers.map((user) => user.toLowerCase())].includes(wanted);
}
