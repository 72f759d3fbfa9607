import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import type { Clock } from '@loam/base';

import { timestamp } from './timestamp.ts';

export interface PublishedEvent {
  readonly namespace: string;
  readonly topic: string;
  readonly timestamp: ReturnType<typeof timestamp>;
  readonly event: { readonly typeUrl: string; readonly value: Uint8Array<ArrayBuffer> };
}

/** Events go to whoever listens at that moment; nothing is kept (reference §1.12). */
export class EventBus {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: PublishedEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish<T extends DescMessage>(namespace: string, topic: string, schema: T, body: MessageInitShape<T>): void {
    const value = new Uint8Array(toBinary(schema, create(schema, body)));
    const event = {
      namespace,
      topic,
      timestamp: timestamp(this.#clock.now()),
      event: { typeUrl: schema.typeName, value },
    };
    for (const listener of this.#listeners) listener(event);
  }

  listen(listener: (event: PublishedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
