/** The part of pino that the queue uses. */
export interface QueueLogger {
  warn(details: object, message: string): void;
}
