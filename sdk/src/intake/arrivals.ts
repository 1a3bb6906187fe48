import { batchRows, type Change, type Transaction, type Writer } from '../storage/writer.ts';
import type { Message } from '../wire.ts';
import type { Entry } from './read-frames.ts';
import { takeEntries, type Arrived } from './take-entries.ts';
import type { DirectId } from './take.ts';

/**
 * What comes, into the storage.
 *
 * Must hold: what came together is stored whole, with the position that it reaches. A position of an older epoch means
 * nothing any more, so it moves nothing.
 */
export type Arrivals = {
  /** A frame that came unasked. What comes while the writer is busy joins the change before it. */
  push(entries: Entry[]): void;
  /** A page that was asked for. `next` is the position that it reaches, whatever is in it. */
  page(entries: Entry[], next: number): Promise<void>;
  /** A message of this device that was accepted. `also` joins its transaction; `done` is called when it is stored. */
  own(message: Message, also: (transaction: Transaction) => void, done?: () => void): void;
};

/** A connection, as what came by it depends on it. */
export type Origin = {
  epoch: string;
  /** The newest position when it began: the server's number of unread messages reaches up to here. */
  head: number;
  /** What is pushed may have a backlog below it that was not read: only pages move the position. */
  movesByPages: boolean;
};

export type ArrivalsOptions = {
  writer: Writer;
  /** Live items do not move the position. */
  lazy: boolean;
  direct?: DirectId | undefined;
  /** Null before the first welcome. The same object for the same connection. */
  origin(): Origin | null;
  /** Everything up to this position is stored. `pushed`: it came unasked. */
  reached(position: number, pushed: boolean): void;
  arrived(all: Map<string, Arrived>): void;
  gaps(entries: Entry[]): void;
};

export function createArrivals({ writer, lazy, direct, origin, ...options }: ArrivalsOptions): Arrivals {
  /** The change is one that the writer was given. */
  const arrive = (entries: Entry[], next = 0, done?: () => void): Change => {
    const from = origin();
    const moves = !lazy && (from?.movesByPages !== true || next > 0);
    const counts = (position = Number.POSITIVE_INFINITY): boolean => position > (from?.head ?? 0);
    let arrived: Map<string, Arrived>;
    let top = next;
    const change: Change = {
      rows: entries.length + 1,
      async run(transaction) {
        arrived = await takeEntries(transaction, entries, { user: writer.meta.user, direct, counts });
        top = entries.reduce((most, { at = 0 }) => Math.max(most, at), next);
        if (moves && from?.epoch === transaction.meta.epoch && top > transaction.meta.position)
          transaction.setMeta({ position: top });
      },
      stored() {
        // A page ends at `next`; what came unasked ends at a position of its own.
        if (from === origin()) options.reached(top, top > next);
        options.arrived(arrived);
        options.gaps(entries);
        done?.();
      },
    };
    writer.change(change);
    return change;
  };

  /** Frames that are stored together. */
  let pushed: { entries: Entry[]; from: Origin | null; change: Change } | null = null;

  return {
    push(entries) {
      const from = origin();
      const rows = (pushed?.entries.length ?? 0) + entries.length + 1;
      // Only the last change may be joined, and only by what came by the same connection.
      if (pushed !== null && pushed.from === from && rows <= batchRows && writer.isLast(pushed.change)) {
        pushed.entries.push(...entries);
        pushed.change.rows = rows;
      } else pushed = { entries, from, change: arrive(entries) };
    },
    page: (entries, next) => new Promise((resolve) => void arrive(entries, next, resolve)),
    own(message, also, done) {
      let arrived: Map<string, Arrived>;
      writer.change({
        rows: 2,
        async run(transaction) {
          const entries = [{ at: undefined, item: { message } }];
          arrived = await takeEntries(transaction, entries, { user: writer.meta.user, counts: () => false });
          also(transaction);
        },
        stored() {
          done?.();
          options.arrived(arrived);
        },
      });
    },
  };
}
