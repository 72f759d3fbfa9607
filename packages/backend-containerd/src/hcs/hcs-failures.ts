import { isLoamError, LoamError, type ErrorCode } from '@loam/base';

import { explainStartFailure } from '../sandbox/start-failure.ts';

/** What a failed call into HCS means, by fragments of its text in lower case (reference §7.2, §10). The first match counts. */
const known: readonly (readonly [
  fragments: readonly string[],
  code: ErrorCode & `backend.${string}`,
  reason?: string,
])[] = [
  // §10 #1
  [['container operating system does not match', '0xc0370101', '0x80370101'], 'backend.os-mismatch'],
  // §10 #3
  [['a required feature is not installed', '0xc0370102', '0x80370102'], 'backend.hyperv-missing'],
  // §10 #9
  [['directory name is invalid', '(0x10b)'], 'backend.workdir-missing'],
  // §10 #11, #12, #13, #15
  [['preparelayer', 'activatelayer', 'used by another process', 'mountwclayer'], 'backend.layer-blocked'],
  // §10 #20, #21
  [['invalid oci spec - type', 'the request is not supported'], 'backend.mount-unsupported'],
  // §10 #26
  [
    ['operation for attach namespace failed', '0x803b002e'],
    'backend.hcn-attach-failed',
    'its namespace could not be attached',
  ],
  // §10 #34
  [
    ['exited unexpectedly', '0xc0370106', '0x80370106'],
    'backend.task-lost',
    'it exited while it was being started (0xC0370106)',
  ],
  // §10 #33
  [['0xc0370110', '0x80370110'], 'backend.task-lost', 'it had stopped already (0xC0370110)'],
  [['0xc037011c', '0x8037011c'], 'backend.task-lost', 'its virtual machine failed (0xC037011C)'],
  [['0xc0370100', '0x80370100'], 'backend.task-lost', 'it was ended while it was being started (0xC0370100)'],
  // §10 #10
  [
    [
      'operation timeout',
      'operation timed out',
      'context deadline exceeded',
      '0xc0370118',
      '0x80370118',
      '0xc0370109',
      '0x80370109',
    ],
    'backend.host-overloaded',
  ],
];

/** runhcs: `hcs::System::CreateProcess c1: The system cannot find the file specified.` (reference §10 #8). */
const programMissing = /createprocess[^]*the system cannot find the (?:file|path) specified/;

/** ERROR_LOGON_FAILURE: what Windows says of an account that it does not know. That HCS passes it on is unverified. */
const userUnknown = /createprocess[^]*(?:the user name or password is incorrect|\(0x52e\))/;

/** What a failed create or start of a task on Windows means to the user. `host` says what would fit it. */
export function explainHcsFailure(
  error: unknown,
  command: string,
  { user = '', host = 'this host' }: { readonly user?: string; readonly host?: string } = {},
): unknown {
  if (
    !isLoamError(
      error,
      'containerd.task-failed',
      'containerd.not-found',
      'containerd.failed',
      'containerd.deadline-exceeded',
    )
  ) {
    return error;
  }
  const text = `${error.message} ${error.internal ?? ''}`.toLowerCase();
  const options = { cause: error, ...(error.internal === undefined ? {} : { internal: error.internal }) };
  if (userUnknown.test(text)) return LoamError.of('backend.unknown-user', { user }, options);
  if (programMissing.test(text)) return LoamError.of('backend.command-not-found', { command }, options);
  if (error.code === 'containerd.deadline-exceeded') return LoamError.of('backend.host-overloaded', {}, options);
  for (const [fragments, code, reason = ''] of known) {
    if (!fragments.some((fragment) => text.includes(fragment))) continue;
    return LoamError.of(code, { reason, host, image: 'another build of Windows' } as never, options);
  }
  return explainStartFailure(error, command);
}

/** Whether a start failed because the working directory is not there. */
export function lacksWorkdir(error: unknown): boolean {
  return isLoamError(error, 'backend.workdir-missing');
}
