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
  /** Sends the frame with an `id` of its own. Rejects with a Refusal, or with ConnectionLost, also after `abandon`. */
  ask(frame: Frame): Promise<Frame>;
  /** Takes an answer to its request. False when it answers nothing that is open. `length` is that of its text. */
  settle(frame: Frame, length?: number): boolean;
  /** Gives up requests that are open for longer than the time limit: their outcome is unknown. */
  expire(now: number, timeoutMs: number): void;
  /** The connection has ended: rejects everything that is open. */
  abandon(): void;
  /** Resolves when nothing is open. */
  idle(): Promise<void>;
};

/** A request that has ended. */
export type RequestEnd = {
  type: string;
  /** How long it was open. */
  ms: number;
  /** `ok`, a code of the server's errors, `no_answer` in time, or `lost` with its connection. */
  outcome: string;
  answer?: Frame;
  /** Characters of the answer. */
  length: number;
};

type Open = { type: string; resolve(frame: Frame): void; reject(reason: Error): void; since: number };

/** Waits that a server asks for are bounded: a wrong number must not stop a client. */
const longestWaitMs = 60_000;

/** The error of a frame, whatever is missing in it. */
function refusalOf({ code, message, retryable, retryAfterMs }: Partial<ErrorFrame>): Refusal {
  return new Refusal(code ?? 'internal', String(message ?? ''), {
    retryable: retryable === true,
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs: Math.min(Math.max(retryAfterMs, 0), longestWaitMs) } : {}),
  });
}

/** Ties answers (`re`) to requests (`id`) of one connection. `ended` is told of each request that is open no more. */
export function createRequests(
  transmit: (frame: Frame) => void,
  now: () => number,
  ended: (request: RequestEnd) => void,
): Requests {
  const openRequests = new Map<string, Open>();
  const waiting: (() => void)[] = [];
  let count = 0;
  let over = false;

  const close = (id: string, { type, since }: Open, outcome: string, answer?: Frame, length = 0): void => {
    openRequests.delete(id);
    ended({ type, ms: now() - since, outcome, length, ...(answer === undefined ? {} : { answer }) });
    if (openRequests.size === 0) for (const resolve of waiting.splice(0)) resolve();
  };

  return {
    ask(frame) {
      const id = `q${++count}`;
      return new Promise((resolve, reject) => {
        if (over) return reject(new ConnectionLost());
        openRequests.set(id, { type: frame.type, resolve, reject, since: now() });
        transmit({ ...frame, id });
      });
    },
    settle(frame, length) {
      const open = frame.re === undefined ? undefined : openRequests.get(frame.re);
      if (open === undefined) return false;
      const refusal = frame.type === 'error' ? refusalOf(frame as Partial<ErrorFrame>) : null;
      close(frame.re!, open, refusal?.code ?? 'ok', frame, length);
      if (refusal === null) open.resolve(frame);
      else open.reject(refusal);
      return true;
    },
    expire(at, timeoutMs) {
      for (const [id, open] of openRequests) {
        if (at - open.since < timeoutMs) continue;
        close(id, open, 'no_answer');
        open.reject(new Refusal('unknown_outcome', `no answer within ${timeoutMs} ms`));
      }
    },
    abandon() {
      over = true;
      for (const [id, open] of openRequests) {
        close(id, open, 'lost');
        open.reject(new ConnectionLost());
      }
    },
    idle: () => (openRequests.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
