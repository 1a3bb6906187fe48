import { fullJitter } from '../backoff.ts';
import type { Clock } from '../platform/clock.ts';
import { Refusal } from '../refusal.ts';
import { ConnectionLost } from '../requests.ts';
import type { Transaction, Writer } from '../storage/writer.ts';
import { createStore, type OwnStore } from '../view/store.ts';
import type { Accepted, Frame } from '../wire.ts';
import { Cancelled, OutboxFull, type Draft, type SendHandle, type SendStatus } from './api.ts';
import { createBucket } from './bucket.ts';
import type { OutboxEntry } from './entry.ts';
import { inTurn, type Lane } from './lanes.ts';

/**
 * What the user wants to say and the server has not accepted yet, over reloads and days.
 *
 * Must hold: an entry is stored before it is sent; it keeps its clientId and text over every repetition, so that it
 * takes effect once; entries of one conversation are accepted in the order of `add`. With `ordered-sends` several are
 * on the wire, each naming the one before: a refusal in the middle refuses those behind it. Without it there is one.
 * All changes of an entry's state are in this file, which is long for that.
 */
export type Outbox = {
  /** Takes what an earlier run left. */
  load(entries: OutboxEntry[]): void;
  /** Throws OutboxFull, or a Refusal if the text is too large for the server. */
  add(draft: Draft): SendHandle;
  open(): void;
  pause(): void;
  /** In the transaction of a reset: what was accepted since then goes out again, before everything else. */
  repeatSince(transaction: Transaction, lostSince: number): void;
  /** What is not accepted, in the order of sending. */
  waiting(lane: string): OutboxEntry[];
  handle(clientId: string): SendHandle | undefined;
  /** How many wait to be accepted. */
  readonly size: number;
  /** Something else may have become free to go: the network is better, or a conversation was opened. */
  pump(): void;
};

export type OutboxPace = { lanes: number; perLane: number; retry: { minMs: number; maxMs: number }; holdLow: boolean };

export type OutboxOptions = {
  writer: Writer;
  persistent(): boolean;
  clock: Clock;
  random: () => number;
  newClientId(): string;
  ask(frame: Frame): Promise<Frame>;
  has(feature: string): boolean;
  limits(): { maxBodyBytes: number; sendPerSecond: number };
  pace(): OutboxPace;
  /** The conversation that the user types in: it goes first. */
  isFocused(lane: string): boolean;
  /** Stores what the answer says about messages, in one transaction with `also`; calls `stored` then. */
  accepted(entry: OutboxEntry, answer: Frame, also: (transaction: Transaction) => void, stored: () => void): void;
  /** An entry was added, changed or has left. */
  changed(lane: string, entry: OutboxEntry): void;
  keepAccepted: number;
  fault(error: Error, where: string): void;
};

type Item = {
  entry: OutboxEntry;
  /** Not on its way before it is stored. */
  isStored: boolean;
  onWire: boolean;
  size: number;
  /** How often in a row the server itself failed at it. */
  internals: number;
  handle: SendHandle;
  status: OwnStore<SendStatus>;
  cancelled: boolean;
  settle: { resolve(answer: Accepted['message']): void; reject(error: Error): void; stored(): void };
};

const most = { entries: 10_000, length: 20_000_000 };
/** So often in a row the server may fail at one entry. */
const internalMost = 10;
const rememberedMs = 86_400_000;

/** Codes that say that the message itself is wrong, or may not be sent. */
const isFinal = (error: unknown): error is Refusal =>
  error instanceof Refusal && !error.retryable && error.code !== 'unauthenticated';

const frameOf = ({ type, lane, to, clientId, kind, body, class: messageClass, level, target }: OutboxEntry): Frame => {
  const where = to === undefined ? { conversation: lane } : { to };
  const common = { ...where, clientId, ...(level === undefined ? {} : { level }) };
  if (type === 'send') return { type, ...common, kind, body, class: messageClass };
  return { type, ...common, ...target!, ...(target!.action === 'edit' ? { body } : {}) };
};

/** The place of what was accepted. An amendment has a seq of its own and no id here. */
function answerOf(frame: Frame): Accepted['message'] {
  if (frame['message'] !== undefined) return frame['message'] as Accepted['message'];
  const { conversation, amendSeq, at } = frame as unknown as { conversation: string; amendSeq: number; at: number };
  return { id: '', conversation, seq: amendSeq, at };
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { writer, clock, random, fault } = options;
  const lanes = new Map<string, Lane<Item>>();
  const items = new Map<string, Item>();
  /** Accepted entries, in the order of their acceptance. */
  let remembered: OutboxEntry[] = [];
  let order = 0;
  let length = 0;
  let isOpen = false;
  let cancelRate: (() => void) | null = null;
  const bucket = createBucket(clock, () => options.limits().sendPerSecond);

  const laneOf = (id: string): Lane<Item> => {
    let lane = lanes.get(id);
    if (lane === undefined) lanes.set(id, (lane = { id, items: [], attempt: 0, resting: null, stalled: false }));
    return lane;
  };

  const change = (item: Item, fields: Partial<OutboxEntry>): void => {
    item.entry = { ...item.entry, ...fields };
    item.status.invalidate();
    options.changed(item.entry.lane, item.entry);
  };

  const store = (entry: OutboxEntry): void => writer.change({ run: (transaction) => transaction.setEntry(entry) });

  const leave = (item: Item): void => {
    const lane = laneOf(item.entry.lane);
    lane.items = lane.items.filter((one) => one !== item);
    length -= item.size;
    if (lane.items.length === 0 && lane.resting === null) lanes.delete(lane.id);
  };

  const makeItem = (entry: OutboxEntry, isStored: boolean): Item => {
    const { clientId } = entry;
    const settle = {} as Item['settle'];
    const accepted = new Promise<Accepted['message']>((resolve, reject) => Object.assign(settle, { resolve, reject }));
    const stored = new Promise<void>((resolve) => (settle.stored = resolve));
    // Whoever does not look at the outcome must not be told of an unhandled rejection.
    accepted.catch(() => {});
    if (isStored) settle.stored();
    const status = createStore<SendStatus>(() => {
      const { state, fault: refused } = item.entry;
      return {
        state: item.cancelled ? 'cancelled' : state,
        persisted: item.isStored && options.persistent(),
        ...(refused === undefined ? {} : { fault: refused }),
      };
    }, fault);
    const handle: SendHandle = {
      clientId,
      status,
      stored,
      accepted,
      cancel: () => cancel(item),
      retry: () => retry(item),
    };
    const size = JSON.stringify(entry.body)?.length ?? 0;
    const item: Item = { entry, isStored, onWire: false, size, internals: 0, handle, status, cancelled: false, settle };
    items.set(clientId, item);
    return item;
  };

  const enqueue = (item: Item): void => {
    const lane = laneOf(item.entry.lane);
    const at = lane.items.findLastIndex((one) => one.entry.order < item.entry.order) + 1;
    lane.items.splice(at, 0, item);
    length += item.size;
  };

  const cancel = (item: Item): boolean => {
    const { state, attempts, clientId } = item.entry;
    if (state !== 'failed' && (state !== 'queued' || attempts > 0)) return false;
    if (item.cancelled) return true;
    item.cancelled = true;
    if (state === 'queued') leave(item);
    items.delete(clientId);
    writer.change({ run: (transaction) => transaction.dropEntry(clientId) });
    item.settle.reject(new Cancelled());
    change(item, {});
    return true;
  };

  const retry = (item: Item): boolean => {
    if (item.entry.state !== 'failed' || item.cancelled) return false;
    const { fault: _, ...entry } = item.entry;
    item.entry = entry;
    change(item, { state: 'queued' });
    store(item.entry);
    enqueue(item);
    pump();
    return true;
  };

  /** Answers of a day are kept, by the clock of the server that gave them. Returns those that are forgotten. */
  const remember = (entry: OutboxEntry): string[] => {
    const since = entry.answer!.at - rememberedMs;
    const all = [...remembered, entry];
    remembered = all.slice(-options.keepAccepted).filter(({ answer }) => answer!.at >= since);
    const kept = new Set(remembered);
    return all.filter((one) => !kept.has(one)).map(({ clientId }) => clientId);
  };

  const accept = (item: Item, frame: Frame): void => {
    const answer = answerOf(frame);
    const { fault: _, ...entry } = { ...item.entry, state: 'accepted' as const, answer };
    leave(item);
    const dropped = remember(entry);
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
    leave(item);
    change(item, { state: 'failed', fault: { code, message } });
    store(item.entry);
    item.settle.reject(new Refusal(code as Refusal['code'], message));
  };

  const rest = (lane: Lane<Item>, askedMs: number): void => {
    const ms = askedMs + fullJitter(lane.attempt++, options.pace().retry, random);
    lane.resting ??= clock.after(ms, () => {
      lane.resting = null;
      if (lane.items.length === 0) lanes.delete(lane.id);
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
    const outOfOrder = error instanceof Refusal && (error.code as string) === 'out_of_order';
    if (!outOfOrder || !named) rest(lane, error instanceof Refusal ? (error.retryAfterMs ?? 0) : 0);
  };

  const transmit = async (lane: Lane<Item>, item: Item): Promise<void> => {
    const before = lane.items.filter(({ onWire }) => onWire).at(-1);
    item.onWire = true;
    change(item, { state: 'sending', attempts: item.entry.attempts + 1 });
    const after = before === undefined ? {} : { after: before.entry.clientId };
    let isLost = false;
    try {
      const answer = await options.ask({ ...frameOf(item.entry), ...after });
      item.onWire = false;
      lane.attempt = 0;
      accept(item, answer);
    } catch (error) {
      item.onWire = false;
      refused(lane, item, error, before !== undefined);
      isLost = error instanceof ConnectionLost;
    }
    if (!lane.items.some(({ onWire }) => onWire)) lane.stalled = false;
    // What was lost with its connection goes out when there is a new one.
    if (!isLost) pump();
  };

  const pump = (): void => {
    if (!isOpen) return;
    const pace = options.pace();
    const perLane = options.has('ordered-sends') ? pace.perLane : 1;
    const ready = inTurn([...lanes.values()], {
      lanes: pace.lanes,
      perLane,
      holdLow: pace.holdLow,
      isFocused: options.isFocused,
    });
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
    load(entries) {
      for (const entry of entries) {
        order = Math.max(order, entry.order);
        if (items.has(entry.clientId)) continue;
        if (entry.state === 'accepted') remembered.push(entry);
        else {
          // It may have been written to a socket after it was stored.
          const loaded = { ...entry, attempts: Math.max(1, entry.attempts) };
          const item = makeItem(entry.state === 'failed' ? loaded : { ...loaded, state: 'queued' }, true);
          if (item.entry.state === 'queued') enqueue(item);
        }
      }
      pump();
    },
    add({ type, lane, to, body: given, target, ...draft }) {
      const text = JSON.stringify(given);
      if (text === undefined && type === 'send') throw new TypeError('a body must be a JSON value');
      if (items.size >= most.entries || length + (text?.length ?? 0) > most.length) throw new OutboxFull();
      // The body of every repetition is that of now, whatever becomes of the object.
      const body: unknown = text === undefined ? undefined : JSON.parse(text);
      const { maxBodyBytes } = options.limits();
      if (new TextEncoder().encode(text).byteLength > maxBodyBytes)
        throw new Refusal('too_large', `a body has at most ${maxBodyBytes} bytes`);
      const clientId = draft.clientId ?? options.newClientId();
      const known = items.get(clientId);
      if (known !== undefined) return known.handle;
      const entry: OutboxEntry = {
        clientId,
        lane,
        ...(to === undefined ? {} : { to }),
        type,
        kind: draft.kind ?? 'text',
        body,
        class: draft.class ?? 'normal',
        ...(draft.level === undefined ? {} : { level: draft.level }),
        ...(target === undefined ? {} : { target }),
        priority: draft.priority ?? (draft.class === 'important' ? 'high' : 'normal'),
        order: ++order,
        queuedAt: clock.now(),
        state: 'queued',
        attempts: 0,
      };
      const item = makeItem(entry, false);
      enqueue(item);
      writer.change({
        run: (transaction) => void (item.cancelled || transaction.setEntry(entry)),
        stored() {
          item.isStored = true;
          item.status.invalidate();
          item.settle.stored();
          pump();
        },
      });
      options.changed(lane, entry);
      return item.handle;
    },
    open() {
      isOpen = true;
      pump();
    },
    pause() {
      isOpen = false;
    },
    repeatSince(transaction, lostSince) {
      const doubtful = remembered.filter(({ answer }) => (answer?.at ?? 0) >= lostSince);
      remembered = remembered.filter((entry) => !doubtful.includes(entry));
      for (const { answer: _, ...entry } of doubtful) {
        const again = { ...entry, state: 'queued' as const };
        transaction.setEntry(again);
        if (!items.has(again.clientId)) enqueue(makeItem(again, true));
      }
    },
    waiting: (lane) =>
      [...items.values()]
        .map(({ entry }) => entry)
        .filter((entry) => entry.lane === lane)
        .toSorted((one, other) => one.order - other.order),
    handle: (clientId) => items.get(clientId)?.handle,
    get size() {
      return [...items.values()].filter(({ entry: { state } }) => state === 'queued' || state === 'sending').length;
    },
    pump,
  };
}
