import { describe, expect, it } from 'vitest';

import { LogStore } from '../log/log-store.ts';
import { LiveSocket, type LogSink, type SocketLike } from './live-socket.ts';

class Wire implements SocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: unknown[] = [];
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.onclose?.();
  }
  log(logId: string, offset: number, text: string): void {
    this.onmessage?.({ data: JSON.stringify({ type: 'log', logId, offset, data: btoa(text) }) });
  }
}

function rig() {
  const wires: Wire[] = [];
  const waits: { task: () => void; delayMs: number }[] = [];
  const live = new LiveSocket({
    open: () => {
      const wire = new Wire();
      wires.push(wire);
      return wire;
    },
    later: (task, delayMs) => {
      const wait = { task, delayMs };
      waits.push(wait);
      return () => void waits.splice(waits.indexOf(wait), 1);
    },
    random: () => 0.5,
  });
  const last = () => wires.at(-1)!;
  const retry = () => waits.shift()!.task();
  return { live, wires, waits, last, retry };
}

function sinkOf(store: LogStore): LogSink {
  return { offset: () => store.size, bytes: (offset, data) => store.append(offset, data), end: () => store.finish() };
}

const textOf = (store: LogStore) => new TextDecoder().decode(store.read(0, store.size));

describe('LiveSocket', () => {
  it('asks for everything again after a cut, a log from the byte where it stands', () => {
    const { live, last, retry } = rig();
    live.start();
    const store = new LogStore();
    live.watchBuild('bld_1');
    live.watchLog('run_1', sinkOf(store));
    expect(last().sent).toEqual([]);
    last().onopen?.();
    expect(last().sent).toEqual([
      { type: 'watch-build', buildId: 'bld_1' },
      { type: 'watch-log', logId: 'run_1', from: 0 },
    ]);
    last().log('run_1', 0, 'hello ');
    last().close();
    expect(live.status()).toBe('down');
    retry();
    last().onopen?.();
    expect(last().sent).toContainEqual({ type: 'watch-log', logId: 'run_1', from: 6 });
    last().log('run_1', 6, 'world');
    expect(textOf(store)).toBe('hello world');
  });

  it('neither loses nor doubles a byte when frames overlap or leave a hole', () => {
    const { live, last } = rig();
    live.start();
    const store = new LogStore();
    live.watchLog('run_1', sinkOf(store));
    last().onopen?.();
    last().log('run_1', 0, 'abcd');
    last().log('run_1', 2, 'cdef');
    last().log('run_1', 9, 'jk');
    expect(last().sent.at(-1)).toEqual({ type: 'watch-log', logId: 'run_1', from: 6 });
    last().log('run_1', 6, 'ghijk');
    expect(textOf(store)).toBe('abcdefghijk');
  });

  it('takes the end of a log only when it has every byte', () => {
    const { live, last } = rig();
    live.start();
    const store = new LogStore();
    live.watchLog('run_1', sinkOf(store));
    last().onopen?.();
    last().log('run_1', 0, 'ab');
    last().onmessage?.({ data: JSON.stringify({ type: 'log-end', logId: 'run_1', size: 4 }) });
    expect(store.complete).toBe(false);
    last().log('run_1', 2, 'cd');
    last().onmessage?.({ data: JSON.stringify({ type: 'log-end', logId: 'run_1', size: 4 }) });
    expect(store.complete).toBe(true);
  });

  it('subscribes once for many users and unsubscribes with the last', () => {
    const { live, last } = rig();
    live.start();
    last().onopen?.();
    const first = live.watchBuild('bld_1');
    const second = live.watchBuild('bld_1');
    first();
    first();
    expect(last().sent).toHaveLength(1);
    second();
    expect(last().sent.at(-1)).toEqual({ type: 'unwatch-build', buildId: 'bld_1' });
  });

  it('waits longer after each failure up to a bound, at once when nudged, and never after stop', () => {
    const { live, last, waits, retry, wires } = rig();
    live.start();
    const delays: number[] = [];
    for (let round = 0; round < 8; round++) {
      last().close();
      delays.push(waits[0]!.delayMs);
      retry();
    }
    expect(delays[0]).toBe(500);
    expect(delays[1]).toBe(1000);
    expect(delays.at(-1)).toBe(10_000);
    last().close();
    const before = wires.length;
    live.nudge();
    expect(wires).toHaveLength(before + 1);
    expect(waits).toHaveLength(0);
    live.stop();
    expect(waits).toHaveLength(0);
  });
});
