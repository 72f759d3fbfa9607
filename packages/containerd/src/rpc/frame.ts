import type { Buffer as NodeBuffer } from 'node:buffer';

const prefixLength = 5;

/** containerd's own limit for one message, each way. */
export const maxMessageBytes = 16 * 1024 * 1024;

/** A gRPC message on the wire: a flag byte (0, not compressed), the length as 32 bits, the message. */
export function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(prefixLength + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, prefixLength);
  return framed;
}

/** Cuts a stream of bytes back into messages. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #available = 0;

  /** Takes what arrived and gives the messages that are complete by it. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#available += chunk.length;
    const messages: Uint8Array[] = [];
    for (;;) {
      if (this.#available < prefixLength) return messages;
      const prefix = this.#peek(prefixLength);
      if (prefix[0] !== 0) throw new Error('a compressed gRPC message, though none was offered');
      const length = prefix.readUInt32BE(1);
      if (length > maxMessageBytes) throw new Error(`a gRPC message of ${length} bytes`);
      if (this.#available < prefixLength + length) return messages;
      messages.push(this.#take(prefixLength + length).subarray(prefixLength));
    }
  }

  #peek(length: number): NodeBuffer {
    if (this.#chunks[0] === undefined || this.#chunks[0].length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    const first = this.#chunks[0] ?? new Uint8Array(0);
    return Buffer.from(first.buffer, first.byteOffset, length);
  }

  #take(length: number): Uint8Array {
    let first = this.#chunks[0] ?? new Uint8Array(0);
    if (first.length < length) {
      first = Buffer.concat(this.#chunks);
      this.#chunks = [first];
    }
    this.#available -= length;
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    return first.subarray(0, length);
  }
}
