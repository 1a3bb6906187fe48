import { Refusal } from '../refusal.ts';
import type { Transaction, Writer } from '../storage/writer.ts';
import type { Accepted, Frame } from '../wire.ts';
import { Cancelled, OutboxFull, type Draft, type SendHandle } from './api.ts';
import type { OutboxEntry } from './entry.ts';
import { answerOf } from './frames.ts';
import { createItem, isWaiting, type Item } from './item.ts';
import { newEntry, textOf } from './new-entry.ts';
import { createQueue } from './queue.ts';
import { createRemembered } from './remembered.ts';
import { createTransmission, type Wire } from './transmission.ts';

/**
 * What the user wants to say and the server has not accepted yet, over reloads and days. Here are the states of its
 * entries; what goes on the wire, and when, is in `transmission.ts`.
 *
 * Must hold: an entry is stored before it is sent; it keeps its clientId and text over every repetition, so that it
 * takes effect once; entries of one conversation are accepted in the order of `add`.
 */
export type Outbox = {
  /** Takes what an earlier run left, or another tab has stored. */
  load(entries: OutboxEntry[]): void;
  /** Another tab had it accepted. */
  settle(clientId: string, answer: Accepted['message']): void;
  /** Another tab has taken it back. */
  forget(clientId: string): void;
  /** Another tab sends from now on: what is not stored yet is stored where it finds it. */
  follow(): void;
  /** Throws OutboxFull, or a Refusal if the text is too large for the server. */
  add(draft: Draft): SendHandle;
  open(): void;
  pause(): void;
  /** In the transaction of a reset: what was accepted since then goes out again, before everything else. */
  repeatSince(transaction: Transaction, lostSince: number): void;
  /** What is not accepted, in the order of sending. */
  waiting(lane: string): OutboxEntry[];
  /** Everything that is stored of it. */
  all(): OutboxEntry[];
  /** What is stored outlives this process from now on. */
  persisted(): void;
  handle(clientId: string): SendHandle | undefined;
  /** How many wait to be accepted. */
  readonly size: number;
  /** Something else may have become free to go: the network is better, or a conversation was opened. */
  pump(): void;
};

/** What is done with entries while another tab sends. */
export type Elsewhere = {
  store(entry: OutboxEntry): Promise<void>;
  cancel(clientId: string): void;
  retry(clientId: string): void;
};

export type OutboxOptions = Wire & {
  writer: Writer;
  persistent(): boolean;
  newClientId(): string;
  /** Stores what the answer says about messages, in one transaction with `also`; calls `stored` then. */
  accepted(entry: OutboxEntry, answer: Frame, also: (transaction: Transaction) => void, stored: () => void): void;
  /** An entry was added, changed or has left. */
  changed(lane: string, entry: OutboxEntry): void;
  /** Null while this tab sends. */
  elsewhere?(): Elsewhere | null;
  keepAccepted: number;
  fault(error: Error, where: string): void;
};

const entriesMost = 10_000;
const lengthMost = 20_000_000;

const refusalOf = ({ code, message }: { code: string; message: string }): Refusal =>
  new Refusal(code as Refusal['code'], message);

export function createOutbox(options: OutboxOptions): Outbox {
  const { writer, clock, fault } = options;
  const items = new Map<string, Item>();
  const queue = createQueue();
  const remembered = createRemembered(options.keepAccepted);
  const elsewhere = (): Elsewhere | null => options.elsewhere?.() ?? null;
  let order = 0;

  const change = (item: Item, fields: Partial<OutboxEntry>): void => {
    item.entry = { ...item.entry, ...fields };
    item.status.invalidate();
    options.changed(item.entry.lane, item.entry);
  };

  const store = (entry: OutboxEntry): void => writer.change({ run: (transaction) => transaction.setEntry(entry) });

  const makeItem = (entry: OutboxEntry, isStored: boolean): Item => {
    const isPersisted = isStored && options.persistent();
    const item = createItem(entry, { isStored, isPersisted, since: clock.now(), cancel, retry, fault });
    items.set(entry.clientId, item);
    return item;
  };

  const cancel = (item: Item): boolean => {
    const { state, attempts, clientId } = item.entry;
    if (state !== 'failed' && (state !== 'queued' || attempts > 0)) return false;
    if (item.cancelled) return true;
    const other = elsewhere();
    // Another tab may have sent it by now.
    if (other !== null && state === 'queued') return false;
    if (other === null) writer.change({ run: (transaction) => transaction.dropEntry(clientId) });
    else other.cancel(clientId);
    takeBack(item);
    return true;
  };

  const takeBack = (item: Item): void => {
    item.cancelled = true;
    if (isWaiting(item)) queue.leave(item);
    items.delete(item.entry.clientId);
    item.settle.reject(new Cancelled());
    change(item, {});
  };

  const retry = (item: Item): boolean => {
    if (item.entry.state !== 'failed' || item.cancelled) return false;
    const other = elsewhere();
    if (other !== null) {
      other.retry(item.entry.clientId);
      return true;
    }
    const { fault: _, ...entry } = item.entry;
    item.entry = entry;
    queue.enter(item);
    change(item, { state: 'queued' });
    store(item.entry);
    transmission.pump();
    return true;
  };

  const accept = (item: Item, frame: Frame): void => {
    const answer = answerOf(frame);
    const { fault: _, ...entry } = { ...item.entry, state: 'accepted' as const, answer };
    queue.leave(item);
    const dropped = remembered.add(entry);
    const also = (transaction: Transaction): void => {
      transaction.setEntry(entry);
      for (const clientId of dropped) transaction.dropEntry(clientId);
    };
    change(item, { state: 'accepted', answer });
    options.accepted(entry, frame, also, () => {
      items.delete(entry.clientId);
      change(item, {});
      item.settle.resolve(answer);
    });
  };

  const fail = (item: Item, { code, message }: { code: string; message: string }): void => {
    queue.leave(item);
    change(item, { state: 'failed', fault: { code, message } });
    store(item.entry);
    item.settle.reject(refusalOf({ code, message }));
  };

  const transmission = createTransmission({ wire: options, queue, change, accept, fail });

  const keep = (item: Item): void => {
    const stored = (): void => {
      item.isStored = true;
      item.isPersisted = options.persistent();
      item.status.invalidate();
      item.settle.stored();
      transmission.pump();
    };
    const other = elsewhere();
    if (other !== null) void other.store(item.entry).then(stored);
    else writer.change({ run: (transaction) => void (item.cancelled || transaction.setEntry(item.entry)), stored });
  };

  const settle = (clientId: string, answer: Accepted['message']): void => {
    const item = items.get(clientId);
    if (item === undefined) return;
    if (isWaiting(item)) queue.leave(item);
    items.delete(clientId);
    change(item, { state: 'accepted', answer });
    item.settle.resolve(answer);
  };

  const adopt = (entry: OutboxEntry): void => {
    const item = makeItem(entry, true);
    if (!isWaiting(item)) return;
    queue.enter(item);
    options.changed(entry.lane, entry);
  };

  /** As another tab has stored it. What this tab has on the wire it knows better. */
  const update = (item: Item, entry: OutboxEntry): void => {
    if (queue.lane(item.entry.lane)?.onWire.has(item) === true) return;
    const waited = isWaiting(item);
    if (waited && entry.state === 'failed') queue.leave(item);
    item.entry = entry;
    item.isStored = true;
    item.isPersisted = options.persistent();
    item.settle.stored();
    if (!waited && entry.state !== 'failed') queue.enter(item);
    change(item, {});
    if (entry.fault !== undefined) item.settle.reject(refusalOf(entry.fault));
  };

  const loadOne = (entry: OutboxEntry): void => {
    const { clientId, state, answer } = entry;
    order = Math.max(order, entry.order);
    if (state === 'accepted') {
      remembered.load(entry);
      return settle(clientId, answer!);
    }
    // It may have been written to a socket after it was stored.
    const loaded = { ...entry, attempts: Math.max(1, entry.attempts) };
    const isOpenElsewhere = elsewhere() !== null || state === 'failed';
    const shown = isOpenElsewhere ? loaded : { ...loaded, state: 'queued' as const };
    const item = items.get(clientId);
    if (item === undefined) adopt(shown);
    else update(item, shown);
  };

  return {
    load(entries) {
      for (const entry of entries) loadOne(entry);
      transmission.pump();
    },
    settle,
    forget(clientId) {
      const item = items.get(clientId);
      if (item !== undefined) takeBack(item);
    },
    follow() {
      for (const item of items.values()) if (!item.isStored) keep(item);
    },
    add(draft) {
      const text = textOf(draft, options.limits().maxBodyBytes);
      if (items.size >= entriesMost || queue.length + text.length > lengthMost) throw new OutboxFull();
      const clientId = draft.clientId ?? options.newClientId();
      const known = items.get(clientId);
      if (known !== undefined) return known.handle;
      const item = makeItem(newEntry(draft, text, { clientId, order: ++order, queuedAt: clock.now() }), false);
      queue.enter(item);
      keep(item);
      options.changed(item.entry.lane, item.entry);
      return item.handle;
    },
    open: transmission.open,
    pause: transmission.pause,
    repeatSince(transaction, lostSince) {
      for (const { answer: _, ...entry } of remembered.takeSince(lostSince)) {
        const again = { ...entry, state: 'queued' as const };
        transaction.setEntry(again);
        if (!items.has(again.clientId)) queue.enter(makeItem(again, true));
      }
    },
    waiting: (lane) =>
      [...items.values()]
        .map(({ entry }) => entry)
        .filter((entry) => entry.lane === lane)
        .toSorted((one, other) => one.order - other.order),
    persisted() {
      for (const item of items.values()) {
        item.isPersisted = item.isStored;
        item.status.invalidate();
      }
    },
    all: () => [...remembered.all(), ...[...items.values()].map(({ entry }) => entry)],
    handle: (clientId) => items.get(clientId)?.handle,
    get size() {
      return queue.size;
    },
    pump: transmission.pump,
  };
}
