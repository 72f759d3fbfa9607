import { readProcessStatus, processStatusBytes } from './service-status.ts';
import type { ServiceConfiguration, ServiceSetting } from './service-settings.ts';
import { loadKoffi, type Pointer } from './koffi.ts';

/** A call of Win32 that failed. */
export class Win32Failure extends Error {
  override readonly name = 'Win32Failure';
  readonly code: number;

  constructor(call: string, code: number) {
    super(`${call} failed with error ${code}`);
    this.code = code;
  }
}

/** Numbers of winerror.h. */
export const win32Errors = {
  accessDenied: 5,
  alreadyRunning: 1056,
  notThere: 1060,
  takesNoControls: 1061,
  notActive: 1062,
  notStartedByManager: 1063,
  markedForDelete: 1072,
  alreadyExists: 1073,
} as const;

/** Access rights (Microsoft, "Service Security and Access Rights"). */
const managerRights = { connect: 0x1, create: 0x2 };
const rights = { queryConfig: 0x1, changeConfig: 0x2, queryStatus: 0x4, start: 0x10, stop: 0x20, delete: 0x1_0000 };
const noChange = 0xffff_ffff;
const stopControl = 1;

/** The service control manager, through advapi32.dll. Names of services are those of the registry. */
export interface ServiceControl {
  /** Undefined when there is no such service. */
  query(name: string): (ReturnType<typeof readProcessStatus> & { commandLine: string; start: number }) | undefined;
  create(name: string, configuration: ServiceConfiguration): void;
  change(name: string, configuration: ServiceConfiguration): void;
  set(name: string, setting: ServiceSetting): void;
  start(name: string): void;
  stop(name: string): void;
  /** It goes when the last handle to it is closed. */
  delete(name: string): void;
}

/** Throws `Win32Failure`, from all its functions, too. */
export async function openServiceControl(): Promise<ServiceControl> {
  const koffi = await loadKoffi();
  const library = koffi.load('advapi32.dll');
  const lastError = koffi.load('kernel32.dll').func('uint32_t GetLastError()') as () => number;
  const openManager = library.func('void *OpenSCManagerW(str16 machine, str16 database, uint32_t access)');
  const openService = library.func('void *OpenServiceW(void *manager, str16 name, uint32_t access)');
  const closeHandle = library.func('int CloseServiceHandle(void *handle)');
  const createService = library.func(
    'void *CreateServiceW(void *manager, str16 name, str16 displayName, uint32_t access, uint32_t type, uint32_t start, ' +
      'uint32_t errorControl, str16 commandLine, str16 group, void *tag, const uint8_t *dependencies, str16 account, str16 password)',
  );
  const changeConfig = library.func(
    'int ChangeServiceConfigW(void *service, uint32_t type, uint32_t start, uint32_t errorControl, str16 commandLine, ' +
      'str16 group, void *tag, const uint8_t *dependencies, str16 account, str16 password, str16 displayName)',
  );
  const changeConfig2 = library.func('int ChangeServiceConfig2W(void *service, uint32_t level, const void *info)');
  const queryConfig = library.func(
    'int QueryServiceConfigW(void *service, _Out_ uint8_t *config, uint32_t size, _Out_ uint32_t *needed)',
  );
  const queryStatus = library.func(
    'int QueryServiceStatusEx(void *service, int level, _Out_ uint8_t *status, uint32_t size, _Out_ uint32_t *needed)',
  );
  const startService = library.func('int StartServiceW(void *service, uint32_t count, void *arguments)');
  const controlService = library.func('int ControlService(void *service, uint32_t control, _Out_ uint8_t *status)');
  const deleteService = library.func('int DeleteService(void *service)');
  const action = koffi.struct({ type: 'uint32_t', delayMs: 'uint32_t' });
  const failureActions = koffi.struct({
    resetSeconds: 'uint32_t',
    rebootMessage: 'str16',
    command: 'str16',
    count: 'uint32_t',
    actions: koffi.pointer(action),
  });
  const description = koffi.struct({ text: 'str16' });
  const number = koffi.struct({ value: 'uint32_t' });

  function must<T>(call: string, result: T): T {
    if (result === null || result === 0 || result === 0n) throw new Win32Failure(call, lastError());
    return result;
  }

  function withManager<T>(access: number, work: (manager: Pointer) => T): T {
    const manager = must('OpenSCManagerW', openManager(null, null, access) as Pointer);
    try {
      return work(manager);
    } finally {
      closeHandle(manager);
    }
  }

  function withService<T>(name: string, access: number, work: (service: Pointer) => T): T {
    return withManager(managerRights.connect, (manager) => {
      const service = must('OpenServiceW', openService(manager, name, access) as Pointer);
      try {
        return work(service);
      } finally {
        closeHandle(service);
      }
    });
  }

  /** QUERY_SERVICE_CONFIGW: three numbers, then pointers; the second number is the start type, the first pointer the command line. */
  function configuration(service: Pointer): { commandLine: string; start: number } {
    const config = Buffer.alloc(8192);
    must('QueryServiceConfigW', queryConfig(service, config, config.length, [0]));
    return { start: config.readUInt32LE(4), commandLine: koffi.decode.string16(config.readBigUInt64LE(16)) };
  }

  function structure(setting: ServiceSetting): unknown {
    if ('text' in setting) return koffi.as({ text: setting.text }, koffi.pointer(description));
    if ('number' in setting) return koffi.as({ value: setting.number }, koffi.pointer(number));
    const { resetSeconds, actions } = setting;
    const value = { resetSeconds, rebootMessage: null, command: null, count: actions.length, actions };
    return koffi.as(value, koffi.pointer(failureActions));
  }

  return {
    query(name) {
      try {
        return withService(name, rights.queryStatus | rights.queryConfig, (service) => {
          const status = Buffer.alloc(processStatusBytes);
          must('QueryServiceStatusEx', queryStatus(service, 0, status, status.length, [0]));
          return { ...readProcessStatus(status), ...configuration(service) };
        });
      } catch (error) {
        if (error instanceof Win32Failure && error.code === win32Errors.notThere) return undefined;
        throw error;
      }
    },
    create(name, config) {
      withManager(managerRights.connect | managerRights.create, (manager) => {
        const { displayName, type, start, errorControl, commandLine, account } = config;
        const dependencies = Buffer.from(config.dependencies, 'utf16le');
        const access = rights.queryConfig;
        const parameters = [manager, name, displayName, access, type, start, errorControl, commandLine];
        closeHandle(
          must('CreateServiceW', createService(...parameters, null, null, dependencies, account, null) as Pointer),
        );
      });
    },
    change(name, config) {
      withService(name, rights.changeConfig, (service) => {
        const dependencies = Buffer.from(config.dependencies, 'utf16le');
        const parameters = [service, noChange, config.start, noChange, config.commandLine, null, null, dependencies];
        must('ChangeServiceConfigW', changeConfig(...parameters, null, null, config.displayName));
      });
    },
    set(name, setting) {
      // Restarts as a recovery ask for the right to start, too.
      withService(name, rights.changeConfig | rights.start, (service) =>
        must('ChangeServiceConfig2W', changeConfig2(service, setting.level, structure(setting))),
      );
    },
    start: (name) => {
      withService(name, rights.start, (service) => must('StartServiceW', startService(service, 0, null)));
    },
    stop: (name) => {
      withService(name, rights.stop, (service) =>
        must('ControlService', controlService(service, stopControl, Buffer.alloc(processStatusBytes))),
      );
    },
    delete: (name) => {
      withService(name, rights.delete, (service) => must('DeleteService', deleteService(service)));
    },
  };
}
