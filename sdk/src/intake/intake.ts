import type { Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import type { Transaction, Writer } from '../storage/writer.ts';
import type { Frame, Gap, Message, Pong, SeqRange, Target, Welcome } from '../wire.ts';
import { createArrivals, type Origin } from './arrivals.ts';
import { createCatchUp } from './catch-up.ts';
import { createGapEvents } from './gap-events.ts';
import { createHandingOut } from './handing-out.ts';
import { createHistoryReading, type HistoryReading } from './history-reading.ts';
import { fillSeqs } from './order.ts';
import { difference, missingIn, sizeOf } from './ranges.ts';
import { inOrder, readGaps, readItems, readPage, type Entry } from './read-frames.ts';
import { createReceived } from './received.ts';
import { takeSummary } from './summary.ts';
import type { DirectId, Taken } from './take.ts';

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
  /** The server named its epoch and the newest position: what has not come by a push is read. */
  pong(pong: Pong): void;
  /** The connection has ended. */
  pause(): void;
  /** Something has come that `received` was not said for. */
  readonly owes: boolean;
  /** Says `received` for what is stored, without waiting. */
  flush(): void;
};

export type IntakeEvents = {
  message(taken: Taken, live: boolean): void;
  amended(message: Message): void;
  /** Messages that were missing in a conversation were read from history. */
  filled?(conversation: string, messages: number, ms: number): void;
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
  /** The id of the direct conversation of two users. */
  direct?: DirectId | undefined;
  insist(frame: () => Frame): Promise<Frame>;
  tell(frame: Frame): void;
  /** Where a conversation is read: by its id, or by the user before its first message. */
  target(id: string): Target;
  isOpen(id: string): boolean;
  /** The next connection has no backlog of its own: it is read page by page, and moves the position alone. */
  readsBacklog(): boolean;
  /** How long `received` is held back once the backlog was read: until then the next page waits for it. */
  holdMs(): number;
  /** Items in a page of the backlog that is read. */
  backlogItems(): number;
  historyItems(): number;
  /** Conversations that have unread messages here. */
  unreadHere(): string[];
  /** The epoch has changed: the welcome of another connection says what that means. */
  renew(): void;
  events: IntakeEvents;
};

/** How long nothing must have come until the rest of a backlog is read, and what the server has beyond it. */
const backlogQuietMs = 1000;
const missingQuietMs = 2000;

export function createIntake({ writer, clock, lazy, direct, events, target, ...options }: IntakeOptions): Intake {
  const { fault } = events;
  let origin: Origin | null = null;
  let synced = false;
  let head = 0;
  const user = (): string | null => writer.meta.user;
  const holes = createGapEvents(events.gap);

  const received = createReceived({
    clock,
    holdMs: () => (synced ? options.holdMs() : 0),
    tell: (position) => options.tell({ type: 'received', position }),
  });

  const handingOut = createHandingOut({
    clock,
    isOpen: (id) => lazy || options.isOpen(id),
    isBehind: () => !synced,
    fill: (id, range) => history.fill(id, target(id), range),
    holes,
    message: events.message,
    amended: events.amended,
    fault,
  });

  const history = createHistoryReading({
    writer,
    insist: options.insist,
    user,
    direct,
    pageItems: options.historyItems,
    clock,
    ...(events.filled === undefined ? {} : { filled: events.filled }),
    stored: handingOut.read,
    fault,
  });

  const fillNewest = async (id: string): Promise<void> => {
    const { lastSeq } = await writer.row(id);
    const fromSeq = Math.max(1, lastSeq - options.historyItems() + 1);
    if (lastSeq > 0) await history.fill(id, target(id), { fromSeq, toSeq: lastSeq });
  };

  const announce = async (gap: Gap): Promise<void> => {
    const row = await writer.row(gap.conversation);
    const missing = difference(missingIn(gap, row.present), row.absent);
    if (sizeOf(missing) > fillSeqs) holes.tell(gap.conversation, missing);
    if (options.isOpen(gap.conversation)) await fillNewest(gap.conversation).catch(() => {});
  };

  const atEnd = (): void => {
    catchUp.end();
    if (synced) return;
    synced = true;
    events.synced();
  };
  const reached = (position: number, pushed?: boolean): void => {
    received.stored(position, pushed);
    if (origin !== null && writer.meta.position >= head) atEnd();
  };

  const arrivals = createArrivals({
    writer,
    lazy,
    direct,
    origin: () => origin,
    reached,
    arrived: handingOut.arrived,
    gaps(entries) {
      for (const entry of entries) if ('gap' in entry) void announce(entry.gap);
    },
  });

  const push = (entries: Entry[]): void => {
    catchUp.heard();
    arrivals.push(entries);
  };

  const catchUp = createCatchUp({
    clock,
    ping: () => options.insist(() => ({ type: 'ping' })),
    async readPage() {
      const after = writer.meta.position;
      const epoch = origin?.epoch;
      const ask = (): Frame => ({ type: 'sync', after, epoch, limit: options.backlogItems() });
      const frame = await options.insist(ask).catch((error: unknown) => {
        if (error instanceof Refusal && error.code === 'resync_required') options.renew();
        throw error;
      });
      if (origin?.epoch !== epoch) return false;
      const { items, gaps, next, more } = readPage(frame, fault);
      catchUp.heard();
      await arrivals.page(inOrder({ items, gaps }), next);
      if (more && writer.meta.position === after) throw new Error('a page that is not the last leads nowhere');
      return more;
    },
    reached: atEnd,
    fault,
  });

  return {
    frame(frame) {
      if (frame.type === 'deliver') push(inOrder({ items: readItems(frame['items'], fault), gaps: [] }));
      else if (frame.type === 'gap') push(inOrder({ items: [], gaps: readGaps([frame], fault) }));
      else return false;
      return true;
    },
    hello() {
      const { position, epoch } = writer.meta;
      return epoch === null ? { position } : { position, epoch };
    },
    welcomed({ user: named, epoch, unread, lostSince, ...greeting }, also) {
      const readsBacklog = options.readsBacklog();
      const begun = { epoch, head: greeting.head, movesByPages: readsBacklog };
      origin = begun;
      synced = false;
      head = greeting.head;
      const reset = greeting.reset === true || (writer.meta.epoch !== null && writer.meta.epoch !== epoch);
      writer.change({
        async run(transaction) {
          transaction.setMeta({ user: named, epoch, ...(reset ? { position: 0 } : {}) });
          await also?.(transaction);
          await takeSummary(transaction, unread, options.unreadHere(), lazy);
        },
        stored() {
          if (origin !== begun) return;
          received.restart(writer.meta.position);
          if (reset) events.reset(lostSince);
          if (lazy) return atEnd();
          catchUp.begin(readsBacklog ? 0 : backlogQuietMs);
          reached(writer.meta.position);
        },
      });
    },
    own: arrivals.own,
    history,
    fillNewest,
    pong(pong) {
      if (pong.epoch !== origin?.epoch) return options.renew();
      if (lazy || catchUp.running || !(pong.head > writer.meta.position)) return;
      head = pong.head;
      catchUp.begin(missingQuietMs);
    },
    pause: catchUp.end,
    get owes() {
      return received.owes;
    },
    flush: received.flush,
  };
}
