import type { Clock } from '../platform/clock.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Message, SeqRange } from '../wire.ts';
import type { GapEvents } from './gap-events.ts';
import { createOrder, type Order } from './order.ts';
import type { Arrived } from './take-entries.ts';
import type { Taken } from './take.ts';

/**
 * Hands messages out to the application, each conversation in its order.
 *
 * Must hold: it is done in the order in which they were stored, and not within a storage's call. Each row is as it was
 * stored with its messages: a newer one would show those present whose turn comes later.
 */
export type HandingOut = {
  /** Messages that came unasked were stored. */
  arrived(all: Map<string, Arrived>): void;
  /** A page of history was stored. Resolves when its messages are handed out. */
  read(taken: Taken[], row: ConversationRow): Promise<void>;
};

export type HandingOutOptions = {
  clock: Clock;
  /** Whether every hole of this conversation is read at once. */
  isOpen(id: string): boolean;
  isBehind(): boolean;
  fill(id: string, range: SeqRange): Promise<void>;
  holes: GapEvents;
  message(taken: Taken, live: boolean): void;
  amended(message: Message): void;
  fault(error: Error, where: string): void;
};

/** Orders without waiting messages are made again from their rows. */
const keptOrders = 500;

export function createHandingOut({ clock, holes, fault, ...options }: HandingOutOptions): HandingOut {
  const orders = new Map<string, Order>();
  let handing = Promise.resolve();

  const inTurn = (work: () => void): Promise<void> =>
    (handing = handing.then(work).catch((error: unknown) => fault(error as Error, 'listener')));

  const emit = (taken: Taken, live: boolean): void => {
    options.message(taken, live);
    if (taken.amended !== undefined) options.amended(taken.amended);
  };

  const orderOf = (id: string, emitted: number): Order => {
    const found = orders.get(id);
    if (found !== undefined) return found;
    if (orders.size >= keptOrders) for (const [other, order] of orders) if (order.idle) orders.delete(other);
    const order = createOrder({
      clock,
      emitted,
      isOpen: () => options.isOpen(id),
      isBehind: options.isBehind,
      // What is here already may still be on its way out.
      fill: (range) => options.fill(id, range).then(() => inTurn(() => {})),
      emit,
      gap: (missing) => holes.tell(id, missing),
      fault,
    });
    orders.set(id, order);
    return order;
  };

  return {
    arrived: (all) =>
      void inTurn(() => {
        for (const [id, { taken, before, row }] of all) orderOf(id, before).add(taken, row);
      }),
    read: (taken, row) =>
      inTurn(() => {
        // A page may reach beyond what was missing: what is here already was handed out, or waits for its turn.
        const fresh = taken.filter(({ first }) => first);
        const order = orders.get(row.id);
        if (order === undefined) for (const one of fresh) emit(one, false);
        else order.add(fresh, row);
      }),
  };
}
