/** Of the service, and of the source in the event log, unless somebody says otherwise. */
export const defaultServiceName = 'loam-agent';

/** What an operator's monitoring may want to know of. */
export type HostEvent = 'started' | 'stopped' | 'enrolled' | 'quarantined' | 'failed';

/** Where events of this host go beside the log: on Windows its event log. */
export interface HostEvents {
  /** Never throws. Texts hold no secrets. */
  report(event: HostEvent, text: string): void;
}
