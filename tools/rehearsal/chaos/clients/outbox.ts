import { fullJitter } from '../../../../sdk/src/backoff.ts';
import type { Random } from '../../irc/random.ts';
import type { Device } from './device.ts';
import type { RecordedHttp } from './http.ts';

/**
 * What one user asks the server to do, and repeats until it has a final answer. Every attempt goes by a device or by
 * HTTP and is the same. After a loss, what was answered since then goes out again.
 */
export type Ask = {
  /** The frame of a device, without its id. */
  frame: { type: string } & Record<string, unknown>;
  /** The same by HTTP; `user` null: a service asks in the user's name. */
  request(asService: boolean): { user: string | null; path: string; body: object };
  /** What an answer says was done; null: it is none of success. */
  done(answer: Record<string, unknown>): { at: number } | null;
  /** Called with the final answer, and the devices that asked; not if it was refused. */
  answered(answer: Record<string, unknown>, askedBy: ReadonlySet<Device>): void;
};

export type Outbox = {
  add(ask: Ask): void;
  /** The deployment lost state: what was answered at or after this moment (ms since 1970) may be gone. */
  repeatSince(lostSince: number): void;
  /** How many have no final answer. */
  readonly open: number;
  /** Gives up what has no answer yet. */
  stop(): void;
};

const pauses = { minMs: 30, maxMs: 2000 };
/** Done asks that are remembered for `repeatSince`. */
const mostRemembered = 5000;

/** `answer`: a frame or the body of an HTTP answer. No answer, or one of these, leaves open what was done. */
const isOpen = (answer: Record<string, unknown> | null): boolean => {
  if (answer === null) return true;
  const error = (answer['error'] ?? answer) as { code?: string; retryable?: boolean };
  return error.retryable === true || error.code === 'unknown_outcome';
};

export function createOutbox(devices: readonly Device[], http: RecordedHttp, random: Random): Outbox {
  let done: { ask: Ask; at: number }[] = [];
  let open = 0;
  let stopped = false;
  const timers = new Set<NodeJS.Timeout>();

  async function attempt(ask: Ask, askedBy: Set<Device>): Promise<Record<string, unknown> | null> {
    const connected = devices.filter((device) => device.isConnected);
    if (connected.length > 0 && random.chance(0.85)) {
      const device = random.pick(connected);
      askedBy.add(device);
      return device.ask(ask.frame);
    }
    const { user: by, path, body } = ask.request(random.chance(0.3));
    const answer = await http.request(by, 'POST', path, body);
    return answer === null ? null : (answer.body as Record<string, unknown>);
  }

  async function carryOut(ask: Ask, askedBy: Set<Device>, attempts: number): Promise<void> {
    if (stopped) return;
    const answer = await attempt(ask, askedBy);
    const found = answer === null ? null : ask.done(answer);
    if (found === null && isOpen(answer)) {
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          void carryOut(ask, askedBy, attempts + 1);
        },
        fullJitter(Math.min(attempts, 8), pauses),
      );
      timers.add(timer);
      return;
    }
    open -= 1;
    if (found === null) return;
    done.push({ ask, at: found.at });
    if (done.length > mostRemembered) done.shift();
    ask.answered(answer!, askedBy);
  }

  const add = (ask: Ask): void => {
    open += 1;
    void carryOut(ask, new Set(), 0);
  };

  return {
    add,
    repeatSince(lostSince) {
      const again = done.filter(({ at }) => at >= lostSince);
      done = done.filter(({ at }) => at < lostSince);
      for (const { ask } of again) add(ask);
    },
    get open() {
      return open;
    },
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
