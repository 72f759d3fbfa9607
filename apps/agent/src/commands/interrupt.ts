/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP, or when nobody reads our output any more. A second signal ends the process:
 * the next start cleans up after it.
 */
export function interruptSignal(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  const onBrokenPipe = (): void => controller.abort();
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  process.stdout.on('error', onBrokenPipe);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of names) process.off(name, onSignal);
      process.stdout.off('error', onBrokenPipe);
    },
  };
}
