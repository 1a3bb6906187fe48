import type { Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import { withGap } from '../storage/row.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Transaction, Writer } from '../storage/writer.ts';
import type { Frame, Gap, Message, SeqRange, Target, Welcome } from '../wire.ts';
import { createCatchUp } from './catch-up.ts';
import { createHistoryReading, type HistoryReading } from './history-reading.ts';
import { createOrder, fillSeqs, type Order } from './order.ts';
import { missingIn, sizeOf } from './ranges.ts';
import { inOrder, readGaps, readItems, readPage, type Entry } from './read-frames.ts';
import { createReceived } from './received.ts';
import { takeSummary } from './summary.ts';
import { takeMessage, type Taken } from './take.ts';

/**
 * What the server sends, into the storage and out to the application.
 *
 * Must hold: one frame is stored whole, with the position that it reaches; `received` is said after that; and the
 * messages of a conversation are handed out by rising seq, small gaps first.
 */
export type Intake = {
  /** Whether it is a frame of the intake's. */
  frame(frame: Frame): boolean;
  /** The fields of `hello` that say where this connection begins. */
  hello(): { position: number; epoch?: string };
  /** The first step of a connection. `also` joins its transaction, before anything of a new epoch is stored. */
  welcomed(welcome: Welcome, also?: (transaction: Transaction) => void | Promise<void>): void;
  /** A message of this device was accepted: it does not come by the inbox while the connection lasts. */
  own(message: Message, also: (transaction: Transaction) => void, stored?: () => void): void;
  readonly history: HistoryReading;
  /** Reads what is missing of the newest messages of an open conversation. */
  fillNewest(id: string): Promise<void>;
  /** The connection has ended. */
  pause(): void;
  /** Says `received` for what is stored, without waiting. */
  flush(): void;
};

export type IntakeEvents = {
  message(taken: Taken, live: boolean): void;
  amended(message: Message): void;
  gap(gap: SeqRange & { conversation: string }): void;
  reset(lostSince: number | undefined): void;
  synced(): void;
  fault(error: Error, where: string): void;
};

export type IntakeOptions = {
  writer: Writer;
  clock: Clock;
  /** Live delivery without a backlog: holes are expected, and live items do not move the position. */
  lazy: boolean;
  insist(frame: () => Frame): Promise<Frame>;
  tell(frame: Frame): void;
  /** Where a conversation is read: by its id, or by the user before its first message. */
  target(id: string): Target;
  isOpen(id: string): boolean;
  /** How long `received` is held back. */
  holdMs(): number;
  historyItems(): number;
  /** Conversations that have unread messages here. */
  unreadHere(): string[];
  /** The epoch has changed: the welcome of another connection says what that means. */
  renew(): void;
  events: IntakeEvents;
};

/** Orders without waiting messages are made again from their rows. */
const keptOrders = 500;

export function createIntake({ writer, clock, lazy, events, target, ...options }: IntakeOptions): Intake {
  const { fault } = events;
  const orders = new Map<string, Order>();
  let welcome: Welcome | null = null;
  let synced = false;
  const user = (): string | null => writer.meta.user;

  const received = createReceived({
    clock,
    holdMs: options.holdMs,
    tell: (position) => options.tell({ type: 'received', position }),
  });

  const emit = (taken: Taken, live: boolean): void => {
    events.message(taken, live);
    if (taken.amended !== undefined) events.amended(taken.amended);
  };

  /** What was highest before a message came, or what a gap directly below it covers, is where the order begins. */
  const beginning = ({ present, gaps }: ConversationRow, seq: number): number =>
    present.at(-1)?.toSeq ?? (gaps.at(-1)?.toSeq === seq - 1 ? gaps.at(-1)!.fromSeq - 1 : seq - 1);

  const orderOf = (id: string, emitted: number): Order => {
    const found = orders.get(id);
    if (found !== undefined) return found;
    if (orders.size >= keptOrders) for (const [other, order] of orders) if (order.idle) orders.delete(other);
    const order = createOrder({
      clock,
      emitted,
      isOpen: () => lazy || options.isOpen(id),
      // What is here already may still be on its way out.
      fill: (range) => history.fill(id, target(id), range).then(() => inTurn(() => {})),
      emit,
      gap: (range) => events.gap({ conversation: id, ...range }),
      fault,
    });
    orders.set(id, order);
    return order;
  };

  /**
   * Hands out in the order in which it was stored, and not within a storage's call. Each row is as it was stored with
   * its messages: a newer one would show those present whose turn comes later.
   */
  let handing = Promise.resolve();
  const inTurn = (work: () => void): Promise<void> =>
    (handing = handing.then(work).catch((error: unknown) => fault(error as Error, 'listener')));

  const history = createHistoryReading({
    writer,
    insist: options.insist,
    user,
    pageItems: options.historyItems,
    stored: (taken, row) =>
      inTurn(() => {
        // A page may reach beyond what was missing: what is here already was handed out, or waits for its turn.
        const fresh = taken.filter(({ first }) => first);
        const order = orders.get(row.id);
        if (order === undefined) for (const one of fresh) emit(one, false);
        else order.add(fresh, row);
      }),
    fault,
  });

  const fillNewest = async (id: string): Promise<void> => {
    const { lastSeq } = await writer.row(id);
    const fromSeq = Math.max(1, lastSeq - options.historyItems() + 1);
    if (lastSeq > 0) await history.fill(id, target(id), { fromSeq, toSeq: lastSeq });
  };

  /** A message of a frame, where the order of its conversation began, and the row as it was stored with it. */
  type Arrived = { taken: Taken; before: number; row: ConversationRow };

  const handOut = (arrived: Arrived[]): void => {
    const all = new Map<string, Taken[]>();
    for (const { taken, row } of arrived) all.set(row.id, [...(all.get(row.id) ?? []), taken]);
    for (const [id, taken] of all) {
      const { before, row } = arrived.find((one) => one.row.id === id)!;
      orderOf(id, before).add(taken, row);
    }
  };

  const takeGap = async (transaction: Transaction, gap: Gap): Promise<void> => {
    transaction.setRow(withGap(await transaction.row(gap.conversation), gap));
  };

  const announce = async ({ position: _, type: __, ...gap }: Gap & { type?: unknown }): Promise<void> => {
    const row = await writer.row(gap.conversation);
    if (sizeOf(missingIn(gap, row.present)) > fillSeqs) events.gap(gap);
    if (options.isOpen(gap.conversation)) await fillNewest(gap.conversation).catch(() => {});
  };

  const reached = (position: number): void => {
    received.stored(position);
    if (synced || welcome === null || writer.meta.position < welcome.head) return;
    atEnd();
  };
  const atEnd = (): void => {
    catchUp.end();
    if (synced) return;
    synced = true;
    events.synced();
  };

  const arriveMessage = async (
    transaction: Transaction,
    message: Message,
    counts: boolean,
  ): Promise<Omit<Arrived, 'row'>> => {
    const before = beginning(await transaction.row(message.conversation), message.seq);
    return { taken: await takeMessage(transaction, message, { user: user(), counts }), before };
  };

  const withRows = (transaction: Transaction, all: Omit<Arrived, 'row'>[]): Promise<Arrived[]> =>
    Promise.all(all.map(async (one) => ({ ...one, row: await transaction.row(one.taken.message.conversation) })));

  /** `next` is the position that a page reaches, whatever is in it. */
  const arrive = (entries: Entry[], next = 0, done?: () => void): void => {
    const from = welcome;
    let arrived: Arrived[] = [];
    const top = Math.max(next, ...entries.map(({ at }) => at ?? 0));
    catchUp.heard();
    writer.change({
      rows: entries.length + 1,
      async run(transaction) {
        const all: Omit<Arrived, 'row'>[] = [];
        for (const entry of entries) {
          if ('gap' in entry) await takeGap(transaction, entry.gap);
          else {
            const { message, position } = entry.item;
            all.push(await arriveMessage(transaction, message, position === undefined || position > (from?.head ?? 0)));
          }
        }
        arrived = await withRows(transaction, all);
        // A position of an older epoch means nothing any more.
        if (!lazy && from?.epoch === transaction.meta.epoch && top > transaction.meta.position)
          transaction.setMeta({ position: top });
      },
      stored() {
        if (from === welcome) reached(top);
        void inTurn(() => handOut(arrived));
        for (const entry of entries) if ('gap' in entry) void announce(entry.gap);
        done?.();
      },
    });
  };

  const catchUp = createCatchUp({
    clock,
    async readPage() {
      const after = writer.meta.position;
      const epoch = welcome?.epoch;
      const ask = (): Frame => ({ type: 'sync', after, epoch, limit: options.historyItems() });
      const frame = await options.insist(ask).catch((error: unknown) => {
        if (error instanceof Refusal && error.code === 'resync_required') options.renew();
        throw error;
      });
      if (welcome?.epoch !== epoch) return false;
      const { items, gaps, next, more } = readPage(frame, fault);
      await new Promise<void>((resolve) => arrive(inOrder({ items, gaps }), next, resolve));
      if (more && writer.meta.position === after) throw new Error('a page that is not the last leads nowhere');
      return more;
    },
    reached: atEnd,
    fault,
  });

  return {
    frame(frame) {
      if (frame.type === 'deliver') arrive(inOrder({ items: readItems(frame['items'], fault), gaps: [] }));
      else if (frame.type === 'gap') arrive(inOrder({ items: [], gaps: readGaps([frame], fault) }));
      else return false;
      return true;
    },
    hello() {
      const { position, epoch } = writer.meta;
      return epoch === null ? { position } : { position, epoch };
    },
    welcomed(greeting, also) {
      welcome = greeting;
      synced = false;
      const { epoch } = greeting;
      const reset = greeting.reset === true || (writer.meta.epoch !== null && writer.meta.epoch !== epoch);
      writer.change({
        async run(transaction) {
          transaction.setMeta({ user: greeting.user, epoch, ...(reset ? { position: 0 } : {}) });
          await also?.(transaction);
          await takeSummary(transaction, greeting.unread, options.unreadHere(), lazy);
        },
        stored() {
          if (welcome !== greeting) return;
          received.restart(writer.meta.position);
          if (reset) events.reset(greeting.lostSince);
          if (lazy) return atEnd();
          catchUp.begin();
          reached(writer.meta.position);
        },
      });
    },
    own(message, also, done) {
      let arrived: Arrived[] = [];
      writer.change({
        rows: 2,
        async run(transaction) {
          arrived = await withRows(transaction, [await arriveMessage(transaction, message, false)]);
          also(transaction);
        },
        stored() {
          done?.();
          void inTurn(() => handOut(arrived));
        },
      });
    },
    history,
    fillNewest,
    pause: catchUp.end,
    flush: received.flush,
  };
}
