/** The part of pino that the queue uses. */
export interface QueueLogger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}
