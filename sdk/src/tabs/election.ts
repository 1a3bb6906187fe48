import type { Clock } from '../platform/clock.ts';
import type { Locks } from './platform.ts';

/**
 * Which tab leads: the holder of a lock that the browser gives to one at a time. It passes by itself when its holder
 * closes or dies. A holder that stands still keeps it, so a tab that is looked at and wants something asks twice, and
 * robs a holder that gives no sign of life. Hidden tabs do not judge, because their timers come late.
 *
 *   withdrawn ──stand()──▶ waiting ──the lock──▶ leading
 *      ▲                     ▲  └──no answer──▶ robs ─┘ │
 *      └──withdraw()─────────┴──── robbed, resign() ────┘
 */
export type Election = {
  /** It has the lock, as far as it was told. */
  readonly holds: boolean;
  readonly stands: boolean;
  stand(): void;
  withdraw(): void;
  /** Gives the lock back and waits behind the others. */
  resign(): void;
  /** Something is wanted of the holder. */
  want(): void;
  /** The holder gave a sign of life. */
  heard(): void;
};

export type ElectionOptions = {
  locks: Locks;
  name(): string;
  clock: Clock;
  visible(): boolean;
  /** Asks the holder for a sign of life. */
  probe(): void;
  /** The lock is here. `isCurrent`: and has not gone since. If it rejects, the lock is given back. */
  lead(isCurrent: () => boolean): Promise<void>;
  /** The lock is gone, or given back. */
  follow(): void;
  fault(error: Error, where: string): void;
};

const answerMs = 1000;
const probes = 2;
/** A timer that is later than this ran after a sleep: an answer may be waiting behind it. */
const lateMs = 500;
/** The pause after a lock could not be had, or its holder could not begin. */
const againMs = 1000;

export function createElection(options: ElectionOptions): Election {
  const { locks, name, clock, visible, probe, lead, follow, fault } = options;
  let stands = false;
  let holds = false;
  /** Grows whenever a request or a hold has become obsolete. */
  let turn = 0;
  let asked = 0;
  let queued = new AbortController();
  let release = (): void => {};
  let cancelProbe: (() => void) | null = null;
  let cancelPause = (): void => {};

  const heard = (): void => {
    cancelProbe?.();
    cancelProbe = null;
  };

  const lose = (): void => {
    turn++;
    queued.abort();
    cancelPause();
    heard();
    if (!holds) return;
    holds = false;
    follow();
    release();
  };

  const requestLater = (): void => {
    if (stands) cancelPause = clock.after(againMs, () => request());
  };

  const request = (steal = false): void => {
    lose();
    const mine = turn;
    const isCurrent = (): boolean => mine === turn;
    queued = new AbortController();
    const held = (): Promise<void> | undefined => {
      if (!isCurrent()) return undefined;
      holds = true;
      heard();
      const released = new Promise<void>((resolve) => (release = resolve));
      lead(isCurrent).catch((error: unknown) => {
        fault(error as Error, 'tabs');
        if (!isCurrent()) return;
        lose();
        requestLater();
      });
      return released;
    };
    const ended = (): void => {
      if (!isCurrent()) return;
      if (holds) request();
      else requestLater();
    };
    // Rejects when it was robbed. A request that robs cannot be aborted: it has its lock at once.
    locks.request(name(), steal ? { steal } : { signal: queued.signal }, held).then(ended, ended);
  };

  const ask = (): void => {
    asked++;
    const due = clock.now() + answerMs;
    cancelProbe = clock.after(answerMs, () => {
      cancelProbe = null;
      if (!stands || holds || !visible()) return;
      if (clock.now() - due > lateMs) asked--;
      if (asked < probes) ask();
      else request(true);
    });
    probe();
  };

  return {
    get holds() {
      return holds;
    },
    get stands() {
      return stands;
    },
    stand() {
      if (stands) return;
      stands = true;
      request();
    },
    withdraw() {
      stands = false;
      lose();
    },
    resign() {
      if (stands && holds) request();
    },
    want() {
      if (!stands || holds || !visible() || cancelProbe !== null) return;
      asked = 0;
      ask();
    },
    heard,
  };
}
