/** The part of tar-stream that the model uses: an implementation that is not ours, to read what we write. */
declare module 'tar-stream' {
  import type { Readable, Writable } from 'node:stream';

  export interface TarStreamHeader {
    readonly name: string;
    readonly type: string;
    readonly size?: number;
    readonly mtime?: Date;
    readonly linkname?: string | null;
    readonly pax?: Readonly<Record<string, string>> | null;
  }
  export interface TarStreamEntry extends AsyncIterable<Uint8Array> {
    readonly header: TarStreamHeader & { readonly mtime: Date };
  }
  export interface TarStreamPack extends Readable {
    entry(header: TarStreamHeader, content?: Uint8Array): unknown;
    finalize(): void;
  }
  export function extract(): Writable & AsyncIterable<TarStreamEntry>;
  export function pack(): TarStreamPack;
}
