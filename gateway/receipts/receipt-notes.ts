import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { receiptFrame } from '../../shared/protocol/frame-text.ts';
import type { MovedTo, Noted, ReceiptNote, Receipts } from '../../shared/redis/conversations/receipts.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { createPaces } from './paces.ts';
import { PendingNotes } from './pending-notes.ts';

/** Notes wait this long for others (ms). */
const tickMs = 50;
/** What a user does in one conversation is noted at most once in this time (ms). */
const noteEveryMs = 1000;
/** A conversation that has no receipts is asked again after this time (ms): it may have shrunk. */
const noneForMs = 2000;
/** A note that could not be written is tried again after this time (ms). */
const againAfterMs = 1000;
/** Maximum notes that wait. More are dropped: the next movement says more anyway. */
const mostWaiting = 50_000;
/** Maximum notes of one call: Redis does nothing else while it runs. */
const mostInCall = 200;

/**
 * Notes how far users have received and read conversations, and tells those who wrote what is newly covered. Nothing
 * waits for it, and each state only rises, so notes are joined, repeated and dropped freely.
 *
 * `takesPart`: whether a user's receipts are noted. Of a user who is not connected here that has to be looked up.
 * `sendersOf`: who wrote lately what this user's devices here were handed. Their own notes may lag, also behind that of
 * a message with which this user answers at once.
 */
export function createReceiptNotes(parts: {
  note: Receipts['note'];
  keys: Pick<Keys, 'partitionOf'>;
  isServed(): boolean;
  takesPart(user: string): boolean | Promise<boolean>;
  sendersOf(user: string, conversation: string): ReceiptNote['senders'];
  tell(users: readonly string[], text: string): void;
  metrics: Pick<Metrics, 'receipts'>;
  log: Logger;
  faults: Pick<Faults, 'note'>;
  now(): number;
}) {
  const { keys, isServed, takesPart, sendersOf, tell, metrics, log, faults, now } = parts;
  const pending = new PendingNotes();
  const noted = createPaces(noteEveryMs);
  const none = createPaces(noneForMs);
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();

  const keyOf = (user: string, conversation: string): string => `${user} ${conversation}`;
  const count = (kind: string, result: string): void => metrics.receipts.inc({ kind, result });

  function add(
    user: string,
    conversation: string,
    news: { received?: number; read?: number; sent?: number; senders?: ReceiptNote['senders'] },
  ): void {
    if (!isServed()) return;
    const at = now();
    const due = Math.max(at + tickMs, noted.nextOf(keyOf(user, conversation), at), none.nextOf(conversation, at));
    if (!pending.add(user, conversation, news, due, mostWaiting)) return count('any', 'dropped');
    schedule();
  }

  function schedule(): void {
    timer ??= setTimeout(() => {
      timer = null;
      running = running
        .then(() => flush(pending.take(now())))
        .catch((thrown: unknown) => faults.note('timer', thrown))
        .then(() => (pending.size > 0 ? schedule() : undefined));
    }, tickMs);
  }

  const tellOf = (kind: 'received' | 'read', { conversation, user }: ReceiptNote, moved: MovedTo | null): void => {
    if (moved === null) return;
    count(kind, 'moved');
    if (moved.tell.length > 0) tell(moved.tell, receiptFrame(conversation, user, kind, moved.seq));
  };

  function settle(note: ReceiptNote, outcome: Noted): void {
    const { user, conversation } = note;
    if (outcome === 'none') {
      none.took(conversation, now());
      return count('any', 'none');
    }
    noted.took(keyOf(user, conversation), now());
    if (outcome === 'same') return count('any', 'same');
    tellOf('received', note, outcome.received);
    tellOf('read', note, outcome.read);
  }

  async function write(partition: number, notes: readonly ReceiptNote[]): Promise<void> {
    try {
      const outcomes = await parts.note(partition, notes);
      notes.forEach((note, i) => settle(note, outcomes[i]!));
    } catch (thrown) {
      log.debug({ event: 'receipts_failed', notes: notes.length, reason: reason(thrown) });
      for (const note of notes) {
        count('any', 'failed');
        pending.add(note.user, note.conversation, note, now() + againAfterMs, mostWaiting);
      }
    }
  }

  /** Each note goes to the partition of its conversation; those of one conversation stay together. */
  async function flush(notes: readonly ReceiptNote[]): Promise<void> {
    if (notes.length === 0) return;
    const users = [...new Set(notes.map(({ user }) => user))];
    const parting = await Promise.all(users.map(async (user) => [user, await takesPart(user)] as const));
    const isPart = new Map(parting);
    const byPartition = Map.groupBy(
      notes
        .filter(({ user }) => isPart.get(user))
        .map((note) =>
          note.sent === 0 ? note : { ...note, senders: [...note.senders, ...sendersOf(note.user, note.conversation)] },
        ),
      ({ conversation }) => keys.partitionOf(conversation),
    );
    const calls: Promise<void>[] = [];
    for (const [partition, all] of byPartition)
      for (let start = 0; start < all.length; start += mostInCall)
        calls.push(write(partition, all.slice(start, start + mostInCall)));
    await Promise.all(calls);
  }

  return {
    /** A device of `user` has everything up to this seq; `senders` wrote what is new of it. */
    received: (user: string, conversation: string, seq: number, senders: ReceiptNote['senders']): void =>
      add(user, conversation, { received: seq, senders }),
    /** `senders`: of what was handed to the device that has read, as far as they are known. */
    read: (user: string, conversation: string, seq: number, senders: ReceiptNote['senders'] = []): void =>
      add(user, conversation, { read: seq, senders }),
    /** Whoever has written a message has read up to it. */
    sent: (user: string, conversation: string, seq: number): void => add(user, conversation, { read: seq, sent: seq }),

    /** Writes everything that waits, whenever it is due. */
    async flush(): Promise<void> {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      await running;
      await flush(pending.take(Infinity));
    },
  };
}

export type ReceiptNotes = ReturnType<typeof createReceiptNotes>;
