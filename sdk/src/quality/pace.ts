import type { BackoffRange } from '../backoff.ts';
import { failuresWithin, type Estimate, type Quality } from './estimate.ts';

/** How much is asked for and sent at once, and how long is waited, on a network of a quality. */
export type Pace = {
  /** Items in a page of the backlog. */
  backlogItems: number;
  /** Messages in a page of history. */
  historyItems: number;
  /** Conversations with sends on the wire, and sends of one. */
  lanes: number;
  perLane: number;
  requestTimeoutMs: number;
  /** The wait after a refusal. */
  retry: BackoffRange;
  /** The wait before the next connection. */
  reconnect: BackoffRange;
  /** How often the server is asked whether something is missing. Null: not at all. */
  checkMs: number | null;
  /** How long `received` is held back. */
  holdMs: number;
  /** Whether it is said that the user types. */
  typing: boolean;
  /** Messages of low priority wait. */
  holdLow: boolean;
};

export type Surroundings = {
  now: number;
  visible: boolean;
  /** When the server pushes again what was not received. */
  receiveWithinMs: number;
};

const minute = 60_000;
/** A page is on its way for about so long: it is pushed again when it is not received in time. */
const pageMs = 1500;
/** A page of a network of which nothing is known is short: the next ones are as long as it shows. */
const firstItems = 20;
const leastItems = 5;
/** Many failures: a network that is away is tried no more often than any other. */
const eagerFailures = 8;
const eagerMs = 5 * minute;

type Row = Omit<Pace, 'backlogItems' | 'requestTimeoutMs' | 'reconnect' | 'checkMs'> & {
  mostItems: number;
  reconnectMs: number;
  visibleMs: number;
  hiddenMs: number | null;
};

const rows: Record<Exclude<Quality, 'offline'>, Row> = {
  good: {
    mostItems: 200,
    historyItems: 50,
    lanes: 16,
    perLane: 8,
    retry: { minMs: 250, maxMs: 2000 },
    reconnectMs: 20_000,
    visibleMs: minute,
    hiddenMs: 5 * minute,
    holdMs: 75,
    typing: true,
    holdLow: false,
  },
  // A long way is when several sends of a conversation on the wire help most, so as many as on a good network.
  poor: {
    mostItems: 60,
    historyItems: 30,
    lanes: 4,
    perLane: 8,
    retry: { minMs: 500, maxMs: 5000 },
    reconnectMs: 8000,
    visibleMs: 20_000,
    hiddenMs: 5 * minute,
    holdMs: 200,
    typing: false,
    holdLow: false,
  },
  bad: {
    mostItems: 20,
    historyItems: 15,
    lanes: 1,
    perLane: 2,
    retry: { minMs: 1000, maxMs: 10_000 },
    reconnectMs: 20_000,
    visibleMs: 30_000,
    hiddenMs: null,
    holdMs: 500,
    typing: false,
    holdLow: true,
  },
};

function requestTimeout(quality: Quality, rttMs: number): number {
  if (quality === 'good') return 10_000;
  return quality === 'poor' ? Math.max(10_000, 8 * rttMs) : 30_000;
}

/** The numbers for an estimate. Without a connection they are those of a bad network. */
export function paceOf(quality: Quality, estimate: Estimate, around: Surroundings): Pace {
  const { mostItems, reconnectMs, visibleMs, hiddenMs, ...row } = rows[quality === 'offline' ? 'bad' : quality];
  const { rate, itemLength, rttMs } = estimate;
  const items = rate === null ? firstItems : Math.floor((rate * pageMs) / 1000 / itemLength);
  const isStorm = failuresWithin(estimate, eagerMs, around.now) >= eagerFailures;
  return {
    ...row,
    backlogItems: Math.min(mostItems, Math.max(leastItems, items)),
    requestTimeoutMs: requestTimeout(quality, rttMs ?? 0),
    reconnect: { minMs: 500, maxMs: isStorm ? 20_000 : reconnectMs },
    checkMs: around.visible ? visibleMs : hiddenMs,
    // A hidden page's timers may come a minute late, so nothing waits for one.
    holdMs: around.visible ? Math.min(row.holdMs, around.receiveWithinMs / 4) : 0,
  };
}
