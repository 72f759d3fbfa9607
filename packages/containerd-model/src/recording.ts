/** One call as it came in. */
export interface RecordedCall {
  /** `Service.Method`. */
  readonly method: string;
  readonly namespace: string;
  readonly lease: string | undefined;
  /** Request and answer, of calls that have one of each; a stream of answers is not kept. */
  readonly request: unknown;
  readonly answer: unknown;
  /** Moments of one order: what began before what had ended. Undefined while it is under way. */
  readonly beganAt: number;
  readonly endedAt: number | undefined;
  /** What it failed with, in the server's words. */
  readonly error: string | undefined;
}

/** Output that the shim gave up on (reference §5.2). */
export interface LostOutput {
  readonly namespace: string;
  readonly containerId: string;
  readonly bytes: number;
}

export type OpenCall = { -readonly [Key in keyof RecordedCall]: RecordedCall[Key] };

/** Every call that a model has had, for checkers that look at the whole of a client's conduct. */
export class Recording {
  readonly calls: RecordedCall[] = [];
  readonly lost: LostOutput[] = [];
  #moment = 0;

  begin(method: string, namespace: string, lease?: string): OpenCall {
    const nothingYet = { request: undefined, answer: undefined, endedAt: undefined, error: undefined };
    const call: OpenCall = { method, namespace, lease, ...nothingYet, beganAt: this.#moment++ };
    this.calls.push(call);
    return call;
  }

  /** Said before the answer goes out, so that it precedes all that the client does then. */
  end(call: OpenCall): void {
    call.endedAt ??= this.#moment++;
  }
}
