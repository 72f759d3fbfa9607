// Loaded before a program of Node (--import): what depends on other processes comes late now and then, as on a busy machine,
// though never in an order that could not be. File calls and timers, bytes in sockets and pipes, and the ends of children.
import { ChildProcess } from 'node:child_process';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

const share = Number(process.env.LOAM_LATE_SHARE ?? '0.2');
const msMax = Number(process.env.LOAM_LATE_MS ?? '15');
const { setTimeout: onTime } = globalThis;

const isLate = () => Math.random() < share;
const pause = () => new Promise((resolve) => onTime(resolve, Math.random() * msMax));

function delayFileCalls() {
  for (const [name, call] of Object.entries(promises)) {
    // These two give iterators, not promises.
    if (typeof call !== 'function' || name === 'watch' || name === 'glob') continue;
    promises[name] = async (...args) => {
      if (isLate()) await pause();
      const result = await call.apply(promises, args);
      if (isLate()) await pause();
      return result;
    };
  }
}

function delayTimers() {
  const late = (callback, ms, ...args) =>
    onTime(callback, isLate() ? (Number(ms) || 0) + Math.random() * msMax : ms, ...args);
  Object.defineProperty(late, promisify.custom, { value: onTime[promisify.custom] });
  globalThis.setTimeout = late;
}

/** Bytes wait in the kernel: nothing is read for a while, so that their order, and that of the end after them, stays. */
function delaySockets() {
  const held = new WeakSet();
  const read = Socket.prototype._read;
  Socket.prototype._read = function (size) {
    if (!held.has(this)) holdNowAndThen(this);
    held.add(this);
    return read.call(this, size);
  };
}

function holdNowAndThen(socket) {
  const look = onTime(() => {
    const handle = socket._handle;
    if (socket.destroyed || !handle) return;
    if (!handle.reading || !isLate()) {
      holdNowAndThen(socket);
      return;
    }
    handle.readStop?.();
    onTime(() => {
      if (!socket.destroyed && socket._handle === handle && handle.reading) handle.readStart?.();
      holdNowAndThen(socket);
    }, Math.random() * msMax);
  }, Math.random() * msMax);
  look.unref();
}

function delayEndsOfChildren() {
  const emit = ChildProcess.prototype.emit;
  const told = new WeakMap();
  ChildProcess.prototype.emit = function (name, ...args) {
    const before = told.get(this);
    if ((name !== 'exit' && name !== 'close') || (before === undefined && !isLate()))
      return emit.call(this, name, ...args);
    const after = (before ?? Promise.resolve()).then(pause).then(() => emit.call(this, name, ...args));
    told.set(this, after);
    return true;
  };
}

delayFileCalls();
delayTimers();
delaySockets();
delayEndsOfChildren();
syncBuiltinESMExports();
