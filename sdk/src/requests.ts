import { Refusal } from './refusal.ts';
import type { ErrorFrame, Frame } from './wire.ts';

/** The connection ended before the answer came: whether the request took effect is unknown. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  constructor() {
    super('the connection ended before the answer came');
  }
}

export type Requests = {
  /** Sends the frame with an `id` of its own. Rejects with a Refusal, or with ConnectionLost. */
  ask(frame: Frame): Promise<Frame>;
  /** Takes an answer to its request. False when it answers nothing that is open. */
  settle(frame: Frame): boolean;
  /** Gives up requests that are open for longer than the time limit: their outcome is unknown. */
  expire(now: number): void;
  /** Rejects everything that is open. */
  abandon(): void;
  /** Resolves when nothing is open. */
  idle(): Promise<void>;
};

type Open = { resolve(frame: Frame): void; reject(reason: Error): void; since: number };

/** Waits that a server asks for are bounded: a wrong number must not stop a client. */
const longestWaitMs = 60_000;

/** The error of a frame, whatever is missing in it. */
function refusalOf({ code, message, retryable, retryAfterMs }: Partial<ErrorFrame>): Refusal {
  return new Refusal(code ?? 'internal', String(message ?? ''), {
    retryable: retryable === true,
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs: Math.min(Math.max(retryAfterMs, 0), longestWaitMs) } : {}),
  });
}

/** Ties answers (`re`) to requests (`id`) of one connection. */
export function createRequests(
  transmit: (frame: Frame) => void,
  timeoutMs: number,
  now: () => number = Date.now,
): Requests {
  const openRequests = new Map<string, Open>();
  const waiting: (() => void)[] = [];
  let count = 0;

  const close = (id: string): void => {
    openRequests.delete(id);
    if (openRequests.size === 0) for (const resolve of waiting.splice(0)) resolve();
  };

  return {
    ask(frame) {
      const id = `q${++count}`;
      return new Promise((resolve, reject) => {
        openRequests.set(id, { resolve, reject, since: now() });
        transmit({ ...frame, id });
      });
    },
    settle(frame) {
      const open = frame.re === undefined ? undefined : openRequests.get(frame.re);
      if (open === undefined) return false;
      close(frame.re!);
      if (frame.type === 'error') open.reject(refusalOf(frame as Partial<ErrorFrame>));
      else open.resolve(frame);
      return true;
    },
    expire(at) {
      for (const [id, open] of openRequests) {
        if (at - open.since < timeoutMs) continue;
        close(id);
        open.reject(new Refusal('unknown_outcome', `no answer within ${timeoutMs} ms`));
      }
    },
    abandon() {
      for (const [id, open] of openRequests) {
        close(id);
        open.reject(new ConnectionLost());
      }
    },
    idle: () => (openRequests.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
