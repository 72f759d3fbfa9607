import { describe, expect, it } from 'vitest';
import { socketPath } from './address.ts';

describe('an address of containerd', () => {
  it.each([
    ['unix:///run/containerd/containerd.sock', '/run/containerd/containerd.sock'],
    ['/run/containerd/containerd.sock', '/run/containerd/containerd.sock'],
    ['npipe:////./pipe/containerd-containerd', '\\\\.\\pipe\\containerd-containerd'],
    ['\\\\.\\pipe\\containerd-containerd', '\\\\.\\pipe\\containerd-containerd'],
    ['//./pipe/containerd-containerd', '\\\\.\\pipe\\containerd-containerd'],
  ])('%s is the socket %s', (address, path) => {
    expect(socketPath(address)).toBe(path);
  });

  it.each(['', 'containerd.sock', 'unix://relative', 'tcp://host:1', 'npipe:////./pipe/', 'npipe://server/pipe/x'])(
    '"%s" is refused with its text',
    (address) => {
      expect(() => socketPath(address)).toThrow(
        expect.objectContaining({ code: 'containerd.bad-address', message: expect.stringContaining(`"${address}"`) }),
      );
    },
  );
});
