import { describe, expect, it } from 'vitest';
import { callContext, errorFromStatus, errorFromTransport } from './errors.ts';

const snapshot = callContext('Snapshots', 'Prepare');
const task = callContext('Tasks', 'Create');

describe('a gRPC status', () => {
  it.each([
    [1, 'context canceled', 'containerd.unavailable'],
    [2, 'something', 'containerd.failed'],
    [3, 'bad id', 'containerd.invalid-argument'],
    [4, 'context deadline exceeded', 'containerd.deadline-exceeded'],
    [5, 'missing', 'containerd.not-found'],
    [6, 'there', 'containerd.already-exists'],
    [7, 'denied by policy', 'containerd.permission-denied'],
    [8, 'message too large', 'containerd.failed'],
    [9, 'has children', 'containerd.failed-precondition'],
    [10, 'aborted', 'containerd.failed'],
    [11, 'offset', 'containerd.out-of-range'],
    [12, 'unknown method', 'containerd.unimplemented'],
    [13, 'panic', 'containerd.failed'],
    [14, 'transport is closing', 'containerd.unavailable'],
    [14, 'ref layer-x locked for 2s (since now): unavailable', 'containerd.locked'],
    [16, 'who', 'containerd.permission-denied'],
    [99, 'new', 'containerd.failed'],
  ])('%d "%s" is %s', (code, message, expected) => {
    const error = errorFromStatus({ code, message }, snapshot);
    expect(error.code).toBe(expected);
    expect(error.internal).toContain(message);
    expect(error.message).not.toContain(message);
  });

  it('names what was asked for', () => {
    expect(errorFromStatus({ code: 5, message: '' }, snapshot).message).toBe('containerd has no such snapshot.');
  });
});

describe('the failure of a task', () => {
  const inRunc = (text: string): string =>
    `failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${text}: unknown`;

  it.each([
    [inRunc('exec: "nope": executable file not found in $PATH'), 'exec: "nope": executable file not found in $PATH'],
    [inRunc('exec: "/etc": permission denied'), 'exec: "/etc": permission denied'],
    [inRunc('exec: "/x": stat /x: no such file or directory'), 'exec: "/x": stat /x: no such file or directory'],
    [
      inRunc('chdir to cwd ("/none") set in config.json failed: no such file or directory'),
      'chdir to cwd ("/none") set in config.json failed: no such file or directory',
    ],
    [
      'hcs::System::CreateProcess c-1: The system cannot find the file specified.: unknown',
      'The system cannot find the file specified',
    ],
  ])('in %s tells the user %s', (message, reason) => {
    const error = errorFromStatus({ code: 2, message }, task);
    expect(error.code).toBe('containerd.task-failed');
    expect(error.message).toBe(`The container could not be run: ${reason}.`);
    expect(error.internal).toContain(message);
  });

  it('tells nothing of the host when the reason is none that is known', () => {
    const error = errorFromStatus({ code: 2, message: 'mount /var/lib/secret: strange' }, task);
    expect(error.message).toBe('The container could not be run: the container runtime reported an error.');
  });
});

describe('a connection that fails', () => {
  it.each([
    ['ENOENT', 'containerd.unavailable'],
    ['ECONNREFUSED', 'containerd.unavailable'],
    ['EACCES', 'containerd.permission-denied'],
  ])('with %s is %s, however deep the code lies', (code, expected) => {
    const cause = Object.assign(new Error(`connect ${code}`), { code });
    const error = errorFromTransport(new Error('stream cancelled', { cause }), snapshot);
    expect(error.code).toBe(expected);
    expect(error.internal).toContain(code);
  });
});
