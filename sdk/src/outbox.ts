import { fullJitter } from './backoff.ts';
import { Refusal } from './refusal.ts';
import { ConnectionLost } from './requests.ts';
import type { Accepted, SendFrame } from './wire.ts';

/**
 * What a device wants to say and the server has not accepted yet.
 *
 * Must hold: messages to one conversation are accepted in the order of `add`. A refused send does not stop later ones
 * on the server, so a second send to the same conversation starts only when the first has its answer; conversations do
 * not wait for each other. A send keeps its clientId over every repetition, so that it takes effect once.
 */
export type Outbox = {
  /** Resolves when accepted; rejects with a Refusal when it can never be. */
  add(send: SendFrame): Promise<Accepted>;
  /** A connection is there: everything that waits goes out. */
  open(): void;
  /** No new transmissions until `open`. */
  pause(): void;
  /** After a loss on the server: what was accepted after that moment goes out again, before everything else. */
  repeatSince(lostSince: number): void;
  /** Messages without an answer. */
  size(): number;
  /** Rejects everything that waits. */
  discard(reason: Error): void;
};

export type OutboxOptions = {
  transmit(send: SendFrame): Promise<Accepted>;
  /** A send has its answer. `again`: it had been accepted before and was sent again because of a loss. */
  accepted?(send: SendFrame, accepted: Accepted, again: boolean): void;
  /** How many accepted sends are remembered for repeatSince. */
  keep?: number;
  random?: () => number;
};

type Entry = { send: SendFrame; again: boolean; resolve(accepted: Accepted): void; reject(reason: Error): void };
type Lane = { entries: Entry[]; busy: boolean; attempt: number; timer: NodeJS.Timeout | null };

const retryRange = { minMs: 50, maxMs: 5000 };

const laneOf = (send: SendFrame): string => (send.to === undefined ? `c:${send.conversation}` : `u:${send.to}`);

/** A token that ran out is renewed by the connection, so that is no reason to give a message up. */
const worthRepeating = (thrown: unknown): boolean =>
  thrown instanceof Refusal && (thrown.retryable || thrown.code === 'unauthenticated');

export function createOutbox(options: OutboxOptions): Outbox {
  const { transmit, accepted, keep = 1000, random = Math.random } = options;
  const lanes = new Map<string, Lane>();
  let done: { send: SendFrame; at: number }[] = [];
  let isOpen = false;

  const laneFor = (send: SendFrame): Lane => {
    const key = laneOf(send);
    let lane = lanes.get(key);
    if (lane === undefined) lanes.set(key, (lane = { entries: [], busy: false, attempt: 0, timer: null }));
    return lane;
  };

  const remember = (send: SendFrame, at: number): void => {
    done.push({ send, at });
    if (done.length > keep) done.shift();
  };

  const failed = (lane: Lane, entry: Entry, thrown: unknown): void => {
    if (thrown instanceof ConnectionLost) return;
    if (!worthRepeating(thrown)) {
      lane.entries.splice(lane.entries.indexOf(entry), 1);
      entry.reject(thrown as Error);
      return;
    }
    const asked = thrown instanceof Refusal ? (thrown.retryAfterMs ?? 0) : 0;
    lane.timer = setTimeout(
      () => {
        lane.timer = null;
        pump(lane);
      },
      asked + fullJitter(lane.attempt++, retryRange, random),
    );
  };

  const pump = (lane: Lane): void => {
    const entry = lane.entries[0];
    if (!isOpen || lane.busy || lane.timer !== null || entry === undefined) return;
    lane.busy = true;
    transmit(entry.send)
      .then(
        (answer) => {
          lane.entries.splice(lane.entries.indexOf(entry), 1);
          lane.attempt = 0;
          remember(entry.send, answer.message.at);
          accepted?.(entry.send, answer, entry.again);
          entry.resolve(answer);
        },
        (thrown: unknown) => failed(lane, entry, thrown),
      )
      .finally(() => {
        lane.busy = false;
        pump(lane);
      });
  };

  return {
    add(send) {
      return new Promise((resolve, reject) => {
        const lane = laneFor(send);
        lane.entries.push({ send, again: false, resolve, reject });
        pump(lane);
      });
    },
    open() {
      isOpen = true;
      for (const lane of lanes.values()) pump(lane);
    },
    pause() {
      isOpen = false;
    },
    repeatSince(lostSince) {
      const doubtful = done.filter((one) => one.at >= lostSince);
      done = done.filter((one) => one.at < lostSince);
      for (const { send } of doubtful.reverse()) {
        laneFor(send).entries.unshift({ send, again: true, resolve: () => {}, reject: () => {} });
      }
    },
    size: () => [...lanes.values()].reduce((sum, lane) => sum + lane.entries.length, 0),
    discard(reason) {
      isOpen = false;
      for (const lane of lanes.values()) {
        if (lane.timer !== null) clearTimeout(lane.timer);
        lane.timer = null;
        for (const entry of lane.entries.splice(0)) entry.reject(reason);
      }
    },
  };
}
