import { createReadStream } from 'node:fs';
import { access, constants } from 'node:fs/promises';

import { LoamError } from '@loam/base';

import { openHost } from '../host.ts';
import { interruptSignal } from './interrupt.ts';
import { hostOptions, type CommonOptions } from './options.ts';

export interface ImportOptions extends CommonOptions {
  readonly name?: string;
  readonly json?: boolean;
}

/** `loam-agent image import`: takes in an OCI layout or `docker save` archive; `-` is standard input. */
export async function importImage(file: string, options: ImportOptions): Promise<number> {
  if (file !== '-') {
    await access(file, constants.R_OK).catch((cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'ENOENT' ? 'there is no such file' : cause.message;
      throw LoamError.of('agent.file-unreadable', { file, reason }, { cause });
    });
  }
  const { signal, dispose } = interruptSignal();
  const host = await openHost(hostOptions(options));
  try {
    const archive = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 });
    const names = await host.backend.fetcher.importArchive(archive as AsyncIterable<Uint8Array>, {
      signal,
      ...(options.name === undefined ? {} : { name: options.name }),
    });
    process.stdout.write(options.json ? `${JSON.stringify({ names })}\n` : names.map((name) => `${name}\n`).join(''));
    return 0;
  } finally {
    await host.close();
    dispose();
  }
}
