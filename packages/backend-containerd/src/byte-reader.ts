/** Reads an asynchronous stream of chunks by exact counts. */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Bytes read so far. */
  position = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Between 1 and `max` bytes, or undefined at the end. */
  async some(max: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return undefined;
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(part.length);
    this.position += part.length;
    return part;
  }

  /** Exactly `count` bytes; undefined at a clean end; throws when the stream ends in between. */
  async take(count: number): Promise<Uint8Array | undefined> {
    const out = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const part = await this.some(count - filled);
      if (part === undefined) {
        if (filled === 0) return undefined;
        throw new Error('the stream ends in the middle');
      }
      out.set(part, filled);
      filled += part.length;
    }
    return out;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const part = await this.some(left);
      if (part === undefined) return;
      left -= part.length;
    }
  }

  /** What has not been read yet. */
  async *rest(): AsyncIterable<Uint8Array> {
    for (;;) {
      const part = await this.some(Number.MAX_SAFE_INTEGER);
      if (part === undefined) return;
      yield part;
    }
  }
}
