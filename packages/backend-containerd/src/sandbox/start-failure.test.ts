import { LoamError } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { explainStartFailure } from './start-failure.ts';

function failed(internal: string): LoamError {
  return LoamError.of('containerd.task-failed', { reason: 'the container runtime reported an error' }, { internal });
}

describe('explainStartFailure', () => {
  it.each([
    'Tasks.Create: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown',
    'Tasks.Create: runc create failed: unable to start container process: exec: "/no/sh": stat /no/sh: no such file or directory: unknown',
    'Tasks.Start: exec /bin/sh: no such file or directory: unknown',
  ])('%s means that the command is not there', (words) => {
    expect(explainStartFailure(failed(words), '/no/sh')).toMatchObject({ code: 'backend.command-not-found' });
  });

  it('anything else of the runtime is run-failed, with its words in the log only', () => {
    const explained = explainStartFailure(failed('Tasks.Create: cgroup: /sys/fs/secret-path: no space'), 'sh');
    expect(explained).toMatchObject({
      code: 'backend.run-failed',
      internal: expect.stringContaining('secret-path') as string,
    });
    expect(String(explained)).not.toContain('secret-path');
  });

  it('errors of other kinds stay as they are', () => {
    const error = LoamError.of('containerd.unavailable', {});
    expect(explainStartFailure(error, 'sh')).toBe(error);
  });
});
