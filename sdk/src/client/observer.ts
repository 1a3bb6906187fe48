import type { Direction } from '../link/api.ts';
import type { Clock } from '../platform/clock.ts';

/**
 * What happens inside, for logs and traces. It never holds texts of messages and tokens.
 *
 * - `attempt`: a connection is tried
 * - `frame`: `name` is its type, `length` its characters, `re` the request that it answers
 * - `request`: it has ended after `ms`; `outcome` is `ok`, a code of an error, `no_answer` or `lost`
 * - `write`: `rows` were stored in `ms`
 * - `fill`: `rows` messages that were missing in a `conversation` were read from history in `ms`
 * - `quality`: it is now `name`
 * - `deliver`: a live message came `lagMs` after it was accepted, by the server's clock
 * - `fault`: something went wrong at `name`
 */
export type ClientEvent = {
  /** By the clock of this device. */
  at: number;
  type: 'attempt' | 'frame' | 'request' | 'write' | 'fill' | 'quality' | 'deliver' | 'fault';
  direction?: Direction;
  name?: string;
  outcome?: string;
  re?: string;
  conversation?: string;
  ms?: number;
  lagMs?: number;
  length?: number;
  rows?: number;
};

/** How often something happened, and the sums of its numbers. */
export type Counter = { count: number; ms?: number; lagMs?: number; length?: number; rows?: number };

export type Observer = {
  observe(event: Event): void;
  /** Counters by type, direction, name and outcome. */
  readonly counters: Record<string, Counter>;
};

/** Names come from the server too: what has too many of them is counted together. */
const mostCounters = 200;

type Event = Omit<ClientEvent, 'at'>;

const keyOf = ({ type, direction, name, outcome }: Event): string =>
  [type, direction, name, outcome].filter((part) => part !== undefined).join(' ');

const isSame = (one: Event, other: Event): boolean =>
  one.direction === other.direction && one.name === other.name && one.outcome === other.outcome;

export function createObserver(clock: Clock, onEvent?: (event: ClientEvent) => void): Observer {
  const counters = new Map<string, Counter>();
  /** The last event of each type, with its counter. Every message comes by here, and most are like the one before. */
  const last = new Map<Event['type'], { event: Event; counter: Counter }>();

  const counterOf = (key: string): Counter => {
    const found = counters.get(key);
    if (found !== undefined) return found;
    if (counters.size >= mostCounters && key !== 'other') return counterOf('other');
    const made = { count: 0 };
    counters.set(key, made);
    return made;
  };

  return {
    observe(event) {
      const before = last.get(event.type);
      const isLike = before !== undefined && isSame(before.event, event);
      const counter = isLike ? before.counter : counterOf(keyOf(event));
      if (!isLike) last.set(event.type, { event, counter });
      const { ms, lagMs, length, rows } = event;
      counter.count++;
      if (ms !== undefined) counter.ms = (counter.ms ?? 0) + ms;
      if (lagMs !== undefined) counter.lagMs = (counter.lagMs ?? 0) + lagMs;
      if (length !== undefined) counter.length = (counter.length ?? 0) + length;
      if (rows !== undefined) counter.rows = (counter.rows ?? 0) + rows;
      if (onEvent === undefined) return;
      try {
        onEvent({ at: clock.now(), ...event });
      } catch {
        // Whoever listens and throws must not be told of itself.
      }
    },
    get counters() {
      return Object.fromEntries(counters);
    },
  };
}
