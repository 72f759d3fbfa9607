import { LoamError, sleep, type Clock } from '@loam/base';

import type { Lifecycle } from '../../commands/run.ts';
import { loadKoffi, type Pointer } from './koffi.ts';
import { win32Errors } from './service-control.ts';
import { ServiceReporter } from './service-reporter.ts';
import { askedBy, serviceStatusBytes } from './service-status.ts';

const notImplemented = 120;
const dispatcherEndsMs = 5_000;

/**
 * Is the process of a Windows service: the dispatcher blocks a thread of its own until the service has stopped, and Windows'
 * calls come to the event loop (koffi, "Asynchronous callbacks"). `work` gets the stop of the service manager as SIGTERM
 * would be got elsewhere; its exit code is what the service ends with. Source: Microsoft, "Service ServiceMain Function",
 * by which that function may return while the service goes on.
 *
 * @throws LoamError `agent.service-only-by-manager` when the process was not started by the service manager
 */
export async function runWindowsService(
  name: string,
  clock: Clock,
  work: (lifecycle: Lifecycle) => Promise<number>,
): Promise<number> {
  const koffi = await loadKoffi();
  const library = koffi.load('advapi32.dll');
  const lastError = koffi.load('kernel32.dll').func('uint32_t GetLastError()') as () => number;
  const mainType = koffi.proto('void ServiceMain(uint32_t count, void *arguments)');
  const handlerType = koffi.proto(
    'uint32_t ServiceHandler(uint32_t control, uint32_t event, void *data, void *context)',
  );
  const entry = koffi.struct({ name: 'str16', main: koffi.pointer(mainType) });
  const startDispatcher = library.func('StartServiceCtrlDispatcherW', 'int', [koffi.pointer(entry)]);
  const registerHandler = library.func('RegisterServiceCtrlHandlerExW', 'void *', [
    'str16',
    koffi.pointer(handlerType),
    'void *',
  ]);
  const setStatus = library.func('int SetServiceStatus(void *handle, const uint8_t *status)');

  const stop = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  let reporter: ServiceReporter | undefined;

  const handler = koffi.register((control: number) => {
    const asked = askedBy(control);
    if (asked === 'stop') {
      reporter?.stopping();
      stop.resolve(`service control ${control}`);
    } else if (asked === 'report') reporter?.again();
    return asked === 'unknown' ? notImplemented : 0;
  }, koffi.pointer(handlerType));

  const main = koffi.register(() => {
    const handle = registerHandler(name, handler, null) as Pointer;
    reporter = new ServiceReporter((status) => setStatus(handle, serviceStatusBytes(status)), clock);
    reporter.starting();
    started.resolve();
  }, koffi.pointer(mainType));

  const table = [
    { name, main },
    { name: null, main: null },
  ];
  const dispatched = new Promise<void>((resolve, reject) => {
    startDispatcher.async(table, (error: unknown, succeeded: number) => {
      if (error) reject(error as Error);
      else if (succeeded !== 0) resolve();
      else reject(notDispatched(lastError()));
    });
  });
  await Promise.race([started.promise, dispatched]);
  let exitCode = 1;
  try {
    exitCode = await work({
      stop: stop.promise,
      onStarted: () => reporter?.running(),
      onStopping: () => reporter?.stopping(),
    });
  } finally {
    reporter?.stopped(exitCode);
    await Promise.race([dispatched, sleep(clock, dispatcherEndsMs)]);
  }
  return exitCode;
}

function notDispatched(code: number): LoamError {
  if (code === win32Errors.notStartedByManager) return LoamError.of('agent.service-only-by-manager', {});
  return LoamError.of('agent.service-refused', {
    name: 'service run',
    reason: `StartServiceCtrlDispatcherW failed with error ${code}`,
  });
}
