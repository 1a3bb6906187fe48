import { fullJitter } from '../backoff.ts';
import type { Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import { ConnectionLost } from '../requests.ts';
import type { Frame } from '../wire.ts';
import { createBucket } from './bucket.ts';
import type { OutboxEntry } from './entry.ts';
import { frameOf } from './frames.ts';
import type { Item } from './item.ts';
import { inTurn, type Lane } from './lanes.ts';
import type { Queue } from './queue.ts';

/**
 * Puts entries on the wire: which ones and when, and what becomes of them there.
 *
 * Must hold: entries of one conversation are accepted in their order. With `ordered-sends` several are on the wire,
 * each naming the one before: a refusal in the middle refuses those behind it. Without it there is one.
 */
export type Transmission = {
  /** There is a connection. */
  open(): void;
  pause(): void;
  /** Something may have become free to go. */
  pump(): void;
};

export type OutboxPace = { lanes: number; perLane: number; retry: { minMs: number; maxMs: number }; holdLow: boolean };

/** The connection, as entries use it. */
export type Wire = {
  clock: Clock;
  random: () => number;
  ask(frame: Frame): Promise<Frame>;
  has(feature: string): boolean;
  limits(): { maxBodyBytes: number; sendPerSecond: number };
  pace(): OutboxPace;
  /** The conversation that the user types in: it goes first. */
  isFocused(lane: string): boolean;
};

export type TransmissionOptions = {
  wire: Wire;
  queue: Queue;
  change(item: Item, fields: Partial<OutboxEntry>): void;
  accept(item: Item, answer: Frame): void;
  /** It was refused for good. */
  fail(item: Item, refusal: { code: string; message: string }): void;
};

/** How long messages of low priority wait after a connection has begun, and on a bad network. */
const lowAfterOpenMs = 5000;
const lowOnBadMs = 60_000;
/** So often in a row the server may fail at one entry. */
const internalMost = 10;

/** Codes that say that the message itself is wrong, or may not be sent. */
const isFinal = (error: unknown): error is Refusal =>
  error instanceof Refusal && !error.retryable && error.code !== 'unauthenticated';

export function createTransmission({ wire, queue, change, accept, fail }: TransmissionOptions): Transmission {
  const { clock, random } = wire;
  const bucket = createBucket(clock, () => wire.limits().sendPerSecond);
  let isOpen = false;
  let openedAt = 0;
  let cancelHeld: (() => void) | null = null;
  let cancelRate: (() => void) | null = null;

  const rest = (lane: Lane<Item>, askedMs: number): void => {
    const ms = askedMs + fullJitter(lane.attempt++, wire.pace().retry, random);
    lane.resting ??= clock.after(ms, () => {
      lane.resting = null;
      queue.tidy(lane);
      pump();
    });
  };

  const refused = (lane: Lane<Item>, item: Item, error: unknown, named: boolean): void => {
    item.internals = error instanceof Refusal && error.code === 'internal' ? item.internals + 1 : 0;
    if (isFinal(error) || item.internals >= internalMost) return fail(item, error as Refusal);
    change(item, { state: 'queued' });
    if (error instanceof ConnectionLost) return;
    // Those behind it on the wire are refused as out of order: nothing goes out before their answers.
    lane.stalled = true;
    const outOfOrder = error instanceof Refusal && error.code === 'out_of_order';
    if (!outOfOrder || !named) rest(lane, error instanceof Refusal ? (error.retryAfterMs ?? 0) : 0);
  };

  const transmit = async (lane: Lane<Item>, item: Item): Promise<void> => {
    const before = [...lane.onWire].at(-1);
    lane.onWire.add(item);
    change(item, { state: 'sending', attempts: item.entry.attempts + 1 });
    const after = before === undefined ? {} : { after: before.entry.clientId };
    let isLost = false;
    try {
      const answer = await wire.ask({ ...frameOf(item.entry), ...after });
      lane.onWire.delete(item);
      lane.attempt = 0;
      accept(item, answer);
    } catch (error) {
      lane.onWire.delete(item);
      refused(lane, item, error, before !== undefined);
      isLost = error instanceof ConnectionLost;
    }
    if (lane.onWire.size === 0) lane.stalled = false;
    // What was lost with its connection goes out when there is a new one.
    if (!isLost) pump();
  };

  const isHeld = ({ since }: Item): boolean => {
    // A clock that went back must not hold them for longer.
    const within = (ms: number, from: number): boolean => Math.abs(clock.now() - from) < ms;
    const held = within(lowAfterOpenMs, openedAt) || (wire.pace().holdLow && within(lowOnBadMs, since));
    if (held)
      cancelHeld ??= clock.after(lowAfterOpenMs, () => {
        cancelHeld = null;
        pump();
      });
    return held;
  };

  const pump = (): void => {
    if (!isOpen) return;
    const pace = wire.pace();
    const perLane = wire.has('ordered-sends') ? pace.perLane : 1;
    const ready = inTurn(queue.lanes(), { lanes: pace.lanes, perLane, isHeld, isFocused: wire.isFocused });
    for (const { lane, item } of ready) {
      if (!bucket.take()) {
        cancelRate ??= clock.after(bucket.waitMs(), () => {
          cancelRate = null;
          pump();
        });
        return;
      }
      void transmit(lane, item);
    }
  };

  return {
    open() {
      isOpen = true;
      openedAt = clock.now();
      pump();
    },
    pause() {
      isOpen = false;
    },
    pump,
  };
}
