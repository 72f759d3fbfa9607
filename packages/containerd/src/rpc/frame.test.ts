import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, FrameReader, maxMessageBytes } from './frame.ts';

describe('frames', () => {
  it('come out whole and in order, however the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 })),
        fc.array(fc.integer({ min: 1, max: 30 })),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map(frame));
          const reader = new FrameReader();
          const received: Uint8Array[] = [];
          for (let at = 0, cut = 0; at < bytes.length; cut++) {
            const size = cuts[cut % cuts.length] ?? 7;
            received.push(...reader.push(bytes.subarray(at, at + size)));
            at += size;
          }
          expect(received.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
        },
      ),
    );
  });

  it('of a size that containerd never sends are refused before they are gathered', () => {
    const prefix = new Uint8Array(5);
    new DataView(prefix.buffer).setUint32(1, maxMessageBytes + 1);
    expect(() => new FrameReader().push(prefix)).toThrow(/16777217 bytes/);
  });

  it('that are compressed are refused, since compression was not offered', () => {
    expect(() => new FrameReader().push(new Uint8Array([1, 0, 0, 0, 0]))).toThrow(/compressed/);
  });
});
