import { isQuiet } from '../intake/amended.ts';
import { withRange, withoutRange } from '../intake/ranges.ts';
import type { Clock } from '../platform/clock.ts';
import { nextEviction, nextOfIndex, quarter, type CacheLimits, type Share } from './eviction.ts';
import { indexRowOf } from './index-row.ts';
import { bytesOf } from './message-size.ts';
import type { ConversationRow, Storage, Stretch } from './storage.ts';
import type { Change, Transaction } from './writer.ts';

export const defaultCache: CacheLimits = {
  perConversation: 1000,
  total: 20_000,
  index: 100_000,
  bytes: 50_000_000,
};

export type CacheOptions = {
  storage(): Storage;
  change(change: Change): void;
  clock: Clock;
  limits: CacheLimits;
  isOpen(id: string): boolean;
  /** Something came and was not confirmed yet: nothing is taken away before that. */
  owes(): boolean;
  /** The network has been bad for a while: what is here is hard to get again. */
  careful(): boolean;
  fault(error: Error, where: string): void;
};

export type Cache = {
  /** These rows were stored. */
  stored(rows: ConversationRow[]): void;
  /** The browser gives no more room: these changes free a quarter. */
  makeRoom(): Promise<Change[]>;
  /** Nothing is taken away any more. */
  close(): void;
};

/** How long nothing must have been stored before something is taken away. */
const idleMs = 5000;

type Idle = { requestIdleCallback?: (run: () => void) => void };

/** Messages and the ranges that name them leave in one transaction. A line of each stays in the index. */
async function leave(transaction: Transaction, stretch: Stretch): Promise<void> {
  const row = await transaction.row(stretch.conversation);
  const messages = await transaction.messages(stretch);
  const shown = messages.filter((message) => !isQuiet(message));
  for (const message of shown) transaction.setIndex(indexRowOf(message));
  transaction.evict(stretch);
  transaction.setRow({
    ...row,
    present: withoutRange(row.present, stretch),
    stale: withoutRange(row.stale, stretch),
    indexed: shown.reduce((all, { seq }) => withRange(all, { fromSeq: seq, toSeq: seq }), row.indexed),
    bytes: Math.max(
      0,
      messages.reduce((bytes, message) => bytes - bytesOf(message), row.bytes),
    ),
  });
}

async function leaveIndex(transaction: Transaction, stretch: Stretch): Promise<void> {
  const row = await transaction.row(stretch.conversation);
  transaction.dropIndex(stretch);
  transaction.setRow({ ...row, indexed: withoutRange(row.indexed, stretch) });
}

const rowsOf = ({ fromSeq, toSeq }: Stretch): number => toSeq - fromSeq + 1;

/** Keeps the storage within its limits: in slices, when nothing was stored for a while and the page is idle. */
export function createCache({ storage, change, clock, limits, isOpen, owes, careful, fault }: CacheOptions): Cache {
  /** Every conversation of the storage, also those that are not in the list. */
  const shares = new Map<string, Share>();
  let loading: Promise<void> | null = null;
  const unread = new Set<string>();
  let storedAt = 0;
  let cancel: (() => void) | null = null;
  let isClosed = false;
  const whenIdle = (globalThis as Idle).requestIdleCallback ?? ((run: () => void) => void clock.after(0, run));

  const note = ({ id, present, indexed, bytes, unread: count }: ConversationRow): void => {
    if (count > 0) unread.add(id);
    else unread.delete(id);
    shares.set(id, { id, present, indexed, bytes, dear: false });
  };

  const judged = (): Map<string, Share> => {
    for (const share of shares.values()) share.dear = unread.has(share.id) || isOpen(share.id);
    return shares;
  };

  const load = (): Promise<void> =>
    (loading ??= storage()
      .list(Number.MAX_SAFE_INTEGER)
      .then(
        (rows) => rows.forEach((row) => shares.has(row.id) || note(row)),
        (error: unknown) => {
          loading = null;
          throw error;
        },
      ));

  const evict = async (): Promise<void> => {
    if (owes()) return plan();
    await load();
    if (isClosed) return;
    const all = judged();
    const stretch = nextEviction(all, limits, careful());
    const line = stretch === null ? nextOfIndex(all, limits) : null;
    const next = stretch ?? line;
    if (next === null) return;
    change({
      run: (transaction) => (stretch === null ? leaveIndex(transaction, next) : leave(transaction, next)),
      stored: () => whenIdle(run),
      rows: rowsOf(next),
    });
  };
  const run = (): void => void (isClosed || evict().catch((error: unknown) => fault(error as Error, 'storage')));

  /** One timer for everything that is stored while it runs: it is started again for the rest of the time. */
  const wait = (ms: number): void => {
    cancel = clock.after(ms, () => {
      cancel = null;
      const restMs = storedAt + idleMs - clock.now();
      if (restMs > 0) wait(Math.min(restMs, idleMs));
      else whenIdle(run);
    });
  };

  function plan(): void {
    storedAt = clock.now();
    if (cancel === null && !isClosed) wait(idleMs);
  }

  return {
    stored(rows) {
      for (const row of rows) note(row);
      plan();
    },
    async makeRoom() {
      await load();
      const leaving = quarter(judged());
      return leaving.map((stretch) => ({ run: (transaction) => leave(transaction, stretch), rows: rowsOf(stretch) }));
    },
    close() {
      isClosed = true;
      cancel?.();
      cancel = null;
    },
  };
}
