/** The part of tar-stream that our tests use: an implementation that is not ours, to read what we write. */
declare module 'tar-stream' {
  import type { Writable } from 'node:stream';

  export interface TarStreamHeader {
    readonly name: string;
    readonly type: string;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly size: number;
    readonly mtime: Date;
    readonly linkname: string | null;
    readonly pax: Readonly<Record<string, string>> | null;
  }
  export interface TarStreamEntry extends AsyncIterable<Uint8Array> {
    readonly header: TarStreamHeader;
  }
  export function extract(): Writable & AsyncIterable<TarStreamEntry>;
}
