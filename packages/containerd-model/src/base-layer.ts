import { pack } from 'tar-stream';

import { buildFile, usersFile } from './runtime/host.ts';

/** An entry of a layer's tar, under its full name (`Files/…`). */
export interface LayerEntry {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link';
  readonly content?: string | Uint8Array;
  readonly linkname?: string;
  readonly pax?: Readonly<Record<string, string>>;
}

/** A layer's tar as it is: nothing is added, so that faults can be planted. */
export async function layerTar(entries: readonly LayerEntry[]): Promise<Uint8Array> {
  const tar = pack();
  const parts: Uint8Array[] = [];
  const read = (async () => {
    for await (const part of tar) parts.push(part as Uint8Array);
  })();
  for (const { name, type = 'file', content = '', linkname, pax } of entries) {
    const bytes = Buffer.from(content);
    const attributes = { 'MSWINDOWS.fileattr': type === 'directory' ? '16' : '32', ...pax };
    const header = { name, type, pax: attributes, mtime: new Date(0), ...(linkname === undefined ? {} : { linkname }) };
    if (type === 'file') tar.entry({ ...header, size: bytes.length }, bytes);
    else tar.entry(header);
  }
  tar.finalize();
  await read;
  return new Uint8Array(Buffer.concat(parts));
}

export interface BaseLayerOptions {
  /** Third number of the build, 20348 unless given. */
  readonly build?: number;
  /** Local users beside the built-in ones. */
  readonly users?: readonly string[];
  /** Whether it can run under Hyper-V isolation. */
  readonly utilityVm?: boolean;
  /** More files by path (`src/x`), parents made as needed. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What a small Windows base image holds, as far as the model cares: programs to be found, a build, users. */
export function baseLayer(options: BaseLayerOptions = {}): Promise<Uint8Array> {
  const { build = 20348, users = [], utilityVm = false, files = {} } = options;
  const all: Record<string, string> = {
    [buildFile]: `10.0.${build}.1`,
    [usersFile]: users.join('\n'),
    ...Object.fromEntries(['cmd', 'tar', 'whoami', 'ping'].map((name) => [`Windows/System32/${name}.exe`, 'MZ'])),
    'bin/sh.exe': 'MZ',
    'bin/busybox.exe': 'MZ',
    'Users/ContainerUser/.profile': '',
    ...files,
  };
  const directories = new Set<string>();
  for (const path of Object.keys(all)) {
    const names = path.split('/').slice(0, -1);
    for (let length = 1; length <= names.length; length += 1) directories.add(names.slice(0, length).join('/'));
  }
  return layerTar([
    { name: 'Hives', type: 'directory' },
    { name: 'Hives/System_Delta', content: 'hive' },
    { name: 'Files', type: 'directory' },
    ...[...directories].map((path) => ({ name: `Files/${path}`, type: 'directory' as const })),
    ...Object.entries(all).map(([path, content]) => ({ name: `Files/${path}`, content })),
    ...(utilityVm
      ? [
          { name: 'UtilityVM', type: 'directory' as const },
          { name: 'UtilityVM/Files', type: 'directory' as const },
        ]
      : []),
  ]);
}
