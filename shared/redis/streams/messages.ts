import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../../model/errors.ts';
import { acceptedAt, messageId } from '../../model/message-text.ts';
import type { Accepted } from '../../model/results.ts';
import { monotonicMs } from '../../timing/clocks.ts';
import { writeFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { Gathering } from './gathering.ts';
import { HeldSends, pairOf, type Waiting } from './held-sends.ts';
import { createPoolWitness, type PoolWitness } from './pool-witness.ts';
import type { AcceptHelp, FirstSend, Send } from './sends.ts';
import type { ShortWay } from './short-way.ts';

type Partition = {
  number: number;
  queue: Waiting[];
  /** At most one call is in flight: two could be carried out in another order. */
  busy: boolean;
  scheduled: boolean;
  held: HeldSends;
  gathering: Gathering;
};

/**
 * Back-pressure: above `behind` entries that fanout has not settled, wait 1 ms per `entriesPerMs`, at most `mostMs`.
 */
const delay = { behind: 500, entriesPerMs: 100, mostMs: 50 };
const mostInCall = 64;
const mostWaiting = 20_000;

/**
 * Accepts sends in micro-batches: one script call per partition and event-loop turn with up to 64 sends, those of a
 * conversation in the order of arrival. Sends that arrive while a call is in flight make up the next one. A send waits
 * for others only while they come densely (gathering.ts).
 *
 * `accept` rejects with a Refusal: `retry_later` (certainly not accepted), `unknown_outcome` (send again with the same
 * clientId), `conflict`, `not_found`, `out_of_order`.
 */
export function createMessages(
  redis: Redis,
  keys: Keys,
  options: {
    dedupeMs: number;
    mostUnsettled: number;
    /** Maximum members of a group whose messages have inbox entries. */
    mostInInboxes: number;
    /** The id of this gateway, for sends that are `awaited`. */
    gateway: string;
    /** Absent: all messages go the long way. */
    shortWay?: ShortWay;
  },
  help: AcceptHelp,
  witness: PoolWitness = createPoolWitness(),
) {
  const partitions: Partition[] = Array.from({ length: keys.partitions }, (_, number) => ({
    number,
    queue: [],
    busy: false,
    scheduled: false,
    held: new HeldSends(),
    gathering: new Gathering(),
  }));

  function schedule(partition: Partition): void {
    if (partition.scheduled || partition.busy || partition.queue.length === 0) return;
    partition.scheduled = true;
    setImmediate(flush, partition);
  }

  function flush(partition: Partition): void {
    partition.scheduled = false;
    if (partition.busy || partition.queue.length === 0) return;
    const taken = partition.queue.length <= mostInCall ? partition.queue : partition.queue.slice(0, mostInCall);
    const batch = byConversation(taken);
    partition.queue = partition.queue.length <= mostInCall ? [] : partition.queue.slice(mostInCall);
    partition.busy = true;
    partition.gathering.took(batch.length, monotonicMs());
    const args: (string | number)[] = [
      keys.partitionBase(partition.number),
      options.dedupeMs,
      options.mostUnsettled,
      options.mostInInboxes,
      ...witness.of(partition.number),
      '',
      '',
      '',
      '',
      '',
    ];
    const shortWay = options.shortWay?.begin(partition.number) ?? '';
    args[10] = shortWay;
    let awaited = '';
    let named = '';
    let made = '';
    let oldest = Infinity;
    let runAt = -1;
    for (let i = 0; i < batch.length; i++) {
      const { send } = batch[i]!;
      if (send.awaited) awaited += ` ${i + 1}`;
      if (send.after !== null) named += ` ${i + 1} ${send.after}`;
      if (send.made > 0 && send.made < oldest) oldest = send.made;
      made += ` ${send.made}`;
      const right = shortWay === '' ? rightOf(send) : rightOf(send) + options.shortWay!.shardsOf(send);
      if (i === 0 || args[runAt] !== send.conversation || args[runAt + 1] !== right)
        runAt = args.push(send.conversation, right, 0) - 3;
      (args[runAt + 2] as number) += 1;
      args.push(send.clientId, send.fingerprint, `${send.sender} ${send.device} ${send.class}`, send.tail);
    }
    args.push(batch.length);
    if (awaited !== '') args[6] = options.gateway + awaited;
    if (named !== '') args[7] = named.slice(1);
    if (oldest !== Infinity) [args[8], args[9]] = [oldest, made.slice(1)];
    void run<string[]>(
      redis,
      'accept-messages',
      [keys.partitionSlot(partition.number), keys.messages(partition.number)],
      args,
    )
      .then((replies) => settle(partition, batch, replies))
      .catch((thrown: unknown) => {
        // A send that has its answer already keeps it.
        const refusal = writeFailure(thrown);
        for (const waiting of batch) waiting.reject(refusal);
        return 0;
      })
      .then((behind) => next(partition, behind));
  }

  /**
   * Makes the next call, later if fanout is behind. Sends accepted faster than they can be delivered would only take
   * the processor from the delivery, and wait in the stream instead of here. It is also later while sends come densely.
   */
  function next(partition: Partition, behind: number): void {
    const behindMs = behind <= delay.behind ? 0 : Math.min(delay.mostMs, behind / delay.entriesPerMs);
    const waitMs = Math.max(behindMs, partition.gathering.pauseMs(partition.queue.length));
    const go = (): void => {
      partition.busy = false;
      flush(partition);
    };
    if (waitMs < 1) go();
    else setTimeout(go, waitMs);
  }

  /** Answers a batch. Returns how many entries fanout is behind. */
  function settle(partition: Partition, batch: Waiting[], replies: string[]): number {
    if (replies.length === 1 && (replies[0] === 'closed' || replies[0] === 'full')) {
      if (replies[0] === 'closed') help.closed();
      const refusal = retryLater(
        replies[0] === 'full' ? 'too much is waiting to be delivered' : 'storage is being opened',
      );
      for (const waiting of batch) waiting.reject(refusal);
      return 0;
    }
    const newest = replies.findLast((reply, i) => i < batch.length && isAccepted(reply));
    if (newest !== undefined) help.seen(partition.number, newest.split(' ', 2)[1]!);
    for (let i = 0; i < batch.length; i++) answer(partition, batch[i]!, replies[i]!);
    if (replies.includes('lookup'))
      lookUp(
        partition,
        batch.filter((_, i) => replies[i] === 'lookup'),
      );
    if (!partition.held.isEmpty) holdQueued(partition);
    witness.note(partition.number, replies[batch.length + 1]);
    if (options.shortWay !== undefined) {
      const taken = replies.filter((reply, i) => i < batch.length && isAccepted(reply)).length;
      options.shortWay.ended(taken, Number(replies[batch.length + 2] ?? 0));
    }
    return Number(replies[batch.length]);
  }

  /** `words`: seq, stream id, and the time if it differs from the id's. */
  function accepted({ send, resolve }: Waiting, partition: Partition, words: string[], duplicate: boolean): void {
    const [seq, streamId, at] = words as [string, string, string?];
    resolve({
      id: messageId(partition.number, streamId),
      conversation: send.conversation,
      seq: Number(seq),
      at: at === undefined ? acceptedAt(streamId) : Number(at),
      duplicate,
    });
  }

  function knownBefore({ send, resolve }: Waiting, partition: Partition, { seq, streamId, at }: FirstSend): void {
    const id = messageId(partition.number, streamId);
    resolve({ id, conversation: send.conversation, seq, at, duplicate: true, fromHistory: true });
  }

  function answer(partition: Partition, waiting: Waiting, reply: string): void {
    const words = reply.split(' ');
    if (isAccepted(reply)) return accepted(waiting, partition, words, false);
    switch (words[0]) {
      case 'duplicate':
        return accepted(waiting, partition, words.slice(1), true);
      case 'conflict':
        return waiting.reject(conflict());
      case 'not_found':
        return waiting.reject(new Refusal('not_found', 'no such conversation'));
      case 'out_of_order':
        return waiting.reject(new Refusal('out_of_order', 'after: that message is not known to be accepted'));
      case 'held':
        return partition.held.add(
          waiting,
          partition.held.has(waiting.send.conversation) ? waiting.send.conversation : pairOf(waiting.send),
        );
      case 'lookup':
        return partition.held.add(waiting, pairOf(waiting.send));
      case 'load':
        partition.held.add(waiting, waiting.send.conversation);
        return whenHelped(partition, waiting.send.conversation, [waiting], async () => {
          if (await help.load(waiting.send)) return [];
          if (waiting.send.right !== 'direct') throw new Refusal('not_found', 'no such conversation');
          return [];
        });
      default:
        waiting.reject(new Refusal('internal', `unexpected answer ${words[0]}`));
    }
  }

  /** One search of history for all sends of a call that have the same sender and conversation. */
  function lookUp(partition: Partition, all: Waiting[]): void {
    for (const [pair, asked] of Map.groupBy(all, ({ send }) => pairOf(send))) {
      whenHelped(partition, pair, asked, async () => {
        const found = await help.lookup(asked.map(({ send }) => send));
        return asked.filter((waiting, i) => {
          const first = found[i]!;
          if (first === null) waiting.send.made = -1;
          else if (!first.same) waiting.reject(conflict());
          else knownBefore(waiting, partition, first);
          return first !== null;
        });
      });
    }
  }

  /** Sends that arrived while a call was in flight come after those that this call has left held. */
  function holdQueued(partition: Partition): void {
    partition.queue = partition.queue.filter((waiting) => {
      const held = partition.held.before(waiting.send);
      held?.push(waiting);
      return held === undefined;
    });
  }

  /**
   * Asks history, then releases the sends held under `under`. `ask` resolves those that have their answer already. If
   * it rejects, that is the answer of the sends in `asked`.
   */
  function whenHelped(partition: Partition, under: string, asked: Waiting[], ask: () => Promise<Waiting[]>): void {
    const release = (answered: Waiting[]) => {
      partition.queue = [...partition.held.release(under, answered), ...partition.queue];
      schedule(partition);
    };
    ask().then(release, (thrown: unknown) => {
      const refusal = thrown instanceof Refusal ? thrown : retryLater('history does not answer now', thrown);
      for (const waiting of asked) waiting.reject(refusal);
      release(asked);
    });
  }

  return {
    accept(send: Send): Promise<Accepted> {
      const partition = partitions[keys.partitionOf(send.conversation)]!;
      return new Promise<Accepted>((resolve, reject) => {
        if (partition.queue.length >= mostWaiting)
          return reject(retryLater('too many messages are waiting to be accepted'));
        const waiting = { send, resolve, reject };
        const held = partition.held.before(send);
        if (held !== undefined) held.push(waiting);
        else partition.queue.push(waiting);
        schedule(partition);
      });
    },
  };
}

export type Messages = ReturnType<typeof createMessages>;

/** The right of a send as the script takes it. */
const rightOf = ({ right, users }: Send): string => (right === 'direct' ? users : right);

/** Sends to one conversation stand together, in their order. */
function byConversation(batch: Waiting[]): Waiting[] {
  if (batch.length === 1) return batch;
  const found = Map.groupBy(batch, ({ send }) => send.conversation);
  return found.size === batch.length ? batch : [...found.values()].flat();
}

/** All other replies begin with a word. */
const isAccepted = (reply: string): boolean => reply.charCodeAt(0) <= '9'.charCodeAt(0);

const conflict = (): Refusal =>
  new Refusal('conflict', 'this clientId was used for another message of this conversation');
