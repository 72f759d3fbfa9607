import { LoamError } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { explainHcsFailure } from './hcs-failures.ts';

function failed(internal: string): LoamError {
  return LoamError.of('containerd.task-failed', { reason: 'the container runtime reported an error' }, { internal });
}

describe('a failed start on Windows', () => {
  it.each([
    [
      'hcs::CreateComputeSystem c: The container operating system does not match the host operating system.',
      'os-mismatch',
    ],
    ['hcsshim: failure (0xc0370101)', 'os-mismatch'],
    ['hcs::CreateComputeSystem: A required feature is not installed. (0x80370102)', 'hyperv-missing'],
    ['hcs::System::CreateProcess c: The system cannot find the file specified.: unknown', 'command-not-found'],
    ['hcs::System::CreateProcess c: The directory name is invalid. (0x10b)', 'workdir-missing'],
    ['hcsshim::PrepareLayer - failed: The parameter is incorrect. (0x57)', 'layer-blocked'],
    [
      'hcsshim::ActivateLayer failed: The process cannot access the file because it is being used by another process.',
      'layer-blocked',
    ],
    ["invalid OCI spec - Type 'bind' not supported", 'mount-unsupported'],
    ['hcs::CreateComputeSystem c: The request is not supported.', 'mount-unsupported'],
    ['The requested operation for attach namespace failed. (0x803b002e)', 'hcn-attach-failed'],
    ['hcs::System::Start c: operation timeout', 'host-overloaded'],
    ['The virtual machine or container exited unexpectedly. (0xc0370106)', 'task-lost'],
    ['something never seen', 'run-failed'],
  ])('%s is backend.%s', (text, code) => {
    const explained = explainHcsFailure(failed(`Tasks.Start: ${text}`), 'tool.exe');
    expect(explained).toMatchObject({ code: `backend.${code}`, internal: expect.stringContaining(text) as string });
    expect(String(explained)).not.toContain('{reason}');
    expect(String(explained)).not.toContain('undefined');
  });

  it('that took longer than the deadline means that the host is overloaded', () => {
    const error = LoamError.of('containerd.deadline-exceeded', { method: 'Tasks.Create' });
    expect(explainHcsFailure(error, 'x')).toMatchObject({ code: 'backend.host-overloaded' });
  });

  it('of other kinds stays as it is', () => {
    const error = LoamError.of('containerd.unavailable', {});
    expect(explainHcsFailure(error, 'x')).toBe(error);
  });
});
