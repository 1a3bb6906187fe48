import { setTimeout as pause } from 'node:timers/promises';
import { fullJitter } from './backoff.ts';
import type { Connection } from './connection.ts';
import { Refusal } from './refusal.ts';
import { ConnectionLost } from './requests.ts';
import type { Frame } from './wire.ts';

/**
 * Where requests wait for a connection that they may use.
 *
 *   paused ──open()──▶ open      requests go out
 *     ▲ ▲◀───pause()─────┘       requests wait for the next `open`
 *   admit() └───────close()──▶ closed    requests are rejected
 */
export type RequestGate = {
  /** The connection that requests may use; null while there is none, or while the server drains it. */
  readonly usable: Connection | null;
  open(connection: Connection): void;
  pause(): void;
  /** Rejects what waits, and what comes until `admit`. */
  close(reason: Error): void;
  admit(): void;
  ready(): Promise<Connection>;
  /**
   * For requests that may be repeated without harm: over lost connections and retryable refusals. The frame is made
   * when it can go out, because a welcome may change it.
   */
  insist(frame: () => Frame): Promise<Frame>;
};

const retryRange = { minMs: 50, maxMs: 5000 };

export function createRequestGate(random: () => number): RequestGate {
  let usable: Connection | null = null;
  let closed: Error | null = null;
  const waiting: { resolve(connection: Connection): void; reject(reason: Error): void }[] = [];

  const ready = (): Promise<Connection> => {
    if (usable !== null) return Promise.resolve(usable);
    if (closed !== null) return Promise.reject(closed);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };

  return {
    get usable() {
      return usable;
    },
    open(connection) {
      usable = connection;
      for (const one of waiting.splice(0)) one.resolve(connection);
    },
    pause() {
      usable = null;
    },
    close(reason) {
      closed = reason;
      for (const one of waiting.splice(0)) one.reject(reason);
    },
    admit() {
      closed = null;
    },
    ready,
    async insist(frame) {
      for (let tries = 0; ; tries++) {
        try {
          const connection = await ready();
          return await connection.requests.ask(frame());
        } catch (error) {
          if (error instanceof ConnectionLost) continue;
          if (!(error instanceof Refusal) || !error.retryable) throw error;
          await pause((error.retryAfterMs ?? 0) + fullJitter(tries, retryRange, random));
        }
      }
    },
  };
}
