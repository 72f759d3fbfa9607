/** What a service is, on either platform. */
export interface ServiceDefinition {
  /** Letters, digits, `-` and `_`: `loam-agent`. */
  readonly name: string;
  /** The program and its arguments, as they are; each platform quotes them its own way. */
  readonly command: readonly string[];
  /** Where the agent keeps everything; made, and closed to others, at install. */
  readonly stateDirectory: string;
  /** How long running builds may take to end at a stop, when it is not the agent's default. Only read on Linux. */
  readonly graceMs?: number;
}

export type ServiceState = 'not-installed' | 'stopped' | 'starting' | 'running' | 'stopping';

export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState;
  readonly processId?: number;
  /** As the service manager has it. */
  readonly commandLine?: string;
  readonly startsAtBoot?: boolean;
  /** Of the last run, when it did not end well. */
  readonly exitCode?: number;
}

export interface InstallReport {
  readonly name: string;
  readonly changed: 'created' | 'updated' | 'unchanged';
  readonly commandLine: string;
  /** Whole sentences, such as of settings that the service manager refused. */
  readonly warnings: readonly string[];
}

/**
 * The services of this host. All but `status` need an administrator, and throw `agent.service-refused` without one, and
 * `agent.service-unknown` for a service that is not installed. Every call may be repeated: what is as asked stays.
 */
export interface ServiceManager {
  /** Creates the service, or gives the one of this name the new definition. It is not started, and one that runs goes on as it was. */
  install(definition: ServiceDefinition): Promise<InstallReport>;
  /** Stops it, takes it away and resolves when it is gone. False when there was none. */
  uninstall(name: string): Promise<boolean>;
  /** Resolves when it runs. Throws `agent.service-not-started`. */
  start(name: string): Promise<void>;
  /** Resolves when it has stopped: running builds have been given their time. */
  stop(name: string): Promise<void>;
  status(name: string): Promise<ServiceStatus>;
}
