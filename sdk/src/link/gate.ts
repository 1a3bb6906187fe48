import { fullJitter } from '../backoff.ts';
import { pause, type Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import { ConnectionLost } from '../requests.ts';
import type { Frame } from '../wire.ts';
import type { Socket } from './socket.ts';

/**
 * Where requests wait for a socket that they may use.
 *
 *   paused ──open()──▶ open      requests go out
 *     ▲ ▲◀───pause()─────┘       requests wait for the next `open`
 *   admit() └───────close()──▶ closed    requests are rejected
 */
export type Gate = {
  readonly usable: Socket | null;
  open(socket: Socket): void;
  pause(): void;
  close(reason: Error): void;
  admit(): void;
  ask(frame: Frame): Promise<Frame>;
  insist(frame: () => Frame): Promise<Frame>;
};

export type GateOptions = { clock: Clock; random: () => number };

const retryRange = { minMs: 50, maxMs: 5000 };

export function createGate({ clock, random }: GateOptions): Gate {
  let usable: Socket | null = null;
  let closed: Error | null = null;
  const waiting: { resolve(socket: Socket): void; reject(reason: Error): void }[] = [];

  const ready = (): Promise<Socket> => {
    if (usable !== null) return Promise.resolve(usable);
    if (closed !== null) return Promise.reject(closed);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };

  return {
    get usable() {
      return usable;
    },
    open(socket) {
      usable = socket;
      for (const one of waiting.splice(0)) one.resolve(socket);
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
    async ask(frame) {
      if (usable === null) throw closed ?? new ConnectionLost();
      return usable.requests.ask(frame);
    },
    async insist(frame) {
      for (let tries = 0; ; tries++) {
        try {
          return await (await ready()).requests.ask(frame());
        } catch (error) {
          if (error instanceof ConnectionLost) continue;
          if (!(error instanceof Refusal) || !error.retryable) throw error;
          await pause(clock, (error.retryAfterMs ?? 0) + fullJitter(tries, retryRange, random));
        }
      }
    },
  };
}
