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
      fill: (range) => history.fill(id, target(id), range),
      emit,
      gap: (range) => events.gap({ conversation: id, ...range }),
      fault,
    });
    orders.set(id, order);
    return order;
  };

  const history = createHistoryReading({
    writer,
    insist: options.insist,
    user,
    pageItems: options.historyItems,
    stored(taken, row) {
      // A page may reach beyond what was missing: what is here already was handed out, or waits for its turn.
      if (!taken.first) return;
      const order = orders.get(row.id);
      if (order === undefined) emit(taken, false);
      else order.add(taken, row);
    },
    fault,
  });

  const fillNewest = async (id: string): Promise<void> => {
    const { lastSeq } = await writer.row(id);
    const fromSeq = Math.max(1, lastSeq - options.historyItems() + 1);
    if (lastSeq > 0) await history.fill(id, target(id), { fromSeq, toSeq: lastSeq });
  };

  /** Messages of one frame, each with where the order of its conversation began. */
  type Arrived = { taken: Taken; before: number };

  const handOut = async (arrived: Arrived[]): Promise<void> => {
    for (const { taken, before } of arrived) {
      const { conversation } = taken.message;
      orderOf(conversation, before).add(taken, await writer.row(conversation));
    }
  };

  const takeGap = async (transaction: Transaction, gap: Gap): Promise<void> => {
    transaction.setRow(withGap(await transaction.row(gap.conversation), gap));
  };

  const announce = async ({ position: _, type: __, ...gap }: Gap & { type?: unknown }): Promise<void> => {
    const row = await writer.row(gap.conversation);
    if (sizeOf(missingIn(gap, row.present)) > fillSeqs) events.gap(gap);
    orders.get(gap.conversation)?.changed(row);
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

  /** Handing out awaits rows, so one frame's must end before the next begins. */
  let handing = Promise.resolve();

  /** `next` is the position that a page reaches, whatever is in it. */
  const arrive = (entries: Entry[], next = 0, done?: () => void): void => {
    const from = welcome;
    const arrived: Arrived[] = [];
    const top = Math.max(next, ...entries.map(({ at }) => at ?? 0));
    catchUp.heard();
    writer.change({
      rows: entries.length + 1,
      async run(transaction) {
        arrived.length = 0;
        for (const entry of entries) {
          if ('gap' in entry) await takeGap(transaction, entry.gap);
          else {
            const { message, position } = entry.item;
            const before = beginning(await transaction.row(message.conversation), message.seq);
            const counts = position === undefined || position > (from?.head ?? 0);
            arrived.push({ taken: await takeMessage(transaction, message, { user: user(), counts }), before });
          }
        }
        // A position of an older epoch means nothing any more.
        if (!lazy && from?.epoch === transaction.meta.epoch && top > transaction.meta.position)
          transaction.setMeta({ position: top });
      },
      stored() {
        if (from === welcome) reached(top);
        handing = handing.then(() => handOut(arrived)).catch((error: unknown) => fault(error as Error, 'listener'));
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
          const before = beginning(await transaction.row(message.conversation), message.seq);
          arrived = [{ taken: await takeMessage(transaction, message, { user: user(), counts: false }), before }];
          also(transaction);
        },
        stored() {
          done?.();
          handing = handing.then(() => handOut(arrived)).catch((error: unknown) => fault(error as Error, 'listener'));
        },
      });
    },
    history,
    fillNewest,
    pause: catchUp.end,
    flush: received.flush,
  };
}
