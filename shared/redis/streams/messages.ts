import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../../model/errors.ts';
import { acceptedAt, messageId } from '../../model/message-text.ts';
import type { Accepted } from '../../model/results.ts';
import { writeFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { HeldSends, pairOf, type Waiting } from './held-sends.ts';
import { createPoolWitness, type PoolWitness } from './pool-witness.ts';
import type { AcceptHelp, FirstSend, Send } from './sends.ts';

type Partition = {
  number: number;
  queue: Waiting[];
  /** At most one call is in flight: two could be carried out in another order. */
  busy: boolean;
  scheduled: boolean;
  held: HeldSends;
};

/**
 * Back-pressure: above `behind` entries that fanout has not settled, wait 1 ms per `entriesPerMs`, at most `mostMs`.
 */
const delay = { behind: 500, entriesPerMs: 100, mostMs: 50 };
const mostInCall = 64;
const mostWaiting = 20_000;

/**
 * Accepts sends in micro-batches: one script call per partition and event-loop turn with up to 64 sends, in the order
 * of arrival. Sends that arrive while a call is in flight make up the next one. No send waits for others to arrive.
 *
 * `accept` rejects with a Refusal: `retry_later` (certainly not accepted), `unknown_outcome` (send again with the same
 * clientId), `conflict`, `not_found`.
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
  }));

  function schedule(partition: Partition): void {
    if (partition.scheduled || partition.busy || partition.queue.length === 0) return;
    partition.scheduled = true;
    setImmediate(flush, partition);
  }

  function flush(partition: Partition): void {
    partition.scheduled = false;
    if (partition.busy || partition.queue.length === 0) return;
    const batch = partition.queue.length <= mostInCall ? partition.queue : partition.queue.slice(0, mostInCall);
    partition.queue = partition.queue.length <= mostInCall ? [] : partition.queue.slice(mostInCall);
    partition.busy = true;
    const args: (string | number)[] = [
      keys.partitionBase(partition.number),
      options.dedupeMs,
      options.mostUnsettled,
      options.mostInInboxes,
      ...witness.of(partition.number),
      '',
    ];
    let awaited = '';
    for (let i = 0; i < batch.length; i++) {
      const { send } = batch[i]!;
      if (send.awaited) awaited += ` ${i + 1}`;
      args.push(
        send.conversation,
        send.sender,
        send.clientId,
        send.fingerprint,
        send.right,
        send.users,
        send.device,
        send.class,
        send.made,
        send.tail,
      );
    }
    if (awaited !== '') args[6] = options.gateway + awaited;
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
   * the processor from the delivery, and wait in the stream instead of here.
   */
  function next(partition: Partition, behind: number): void {
    const waitMs = behind <= delay.behind ? 0 : Math.min(delay.mostMs, behind / delay.entriesPerMs);
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
    const newest = replies.findLast((reply) => reply.startsWith('accepted '));
    if (newest !== undefined) help.seen(partition.number, newest.split(' ', 3)[2]!);
    for (let i = 0; i < batch.length; i++) answer(partition, batch[i]!, replies[i]!);
    if (replies.includes('lookup'))
      lookUp(
        partition,
        batch.filter((_, i) => replies[i] === 'lookup'),
      );
    if (!partition.held.isEmpty) holdQueued(partition);
    witness.note(partition.number, replies[batch.length + 1]);
    return Number(replies[batch.length]);
  }

  function accepted(
    waiting: Waiting,
    partition: Partition,
    seq: number,
    streamId: string,
    at: number,
    duplicate: boolean,
  ): void {
    waiting.resolve({
      id: messageId(partition.number, streamId),
      conversation: waiting.send.conversation,
      seq,
      at,
      duplicate,
    });
  }

  function knownBefore({ send, resolve }: Waiting, partition: Partition, { seq, streamId, at }: FirstSend): void {
    const id = messageId(partition.number, streamId);
    resolve({ id, conversation: send.conversation, seq, at, duplicate: true, fromHistory: true });
  }

  function answer(partition: Partition, waiting: Waiting, reply: string): void {
    const words = reply.split(' ');
    switch (words[0]) {
      case 'accepted':
      case 'duplicate':
        return accepted(
          waiting,
          partition,
          Number(words[1]),
          words[2]!,
          words[3] === undefined ? acceptedAt(words[2]!) : Number(words[3]),
          words[0] === 'duplicate',
        );
      case 'conflict':
        return waiting.reject(conflict());
      case 'not_found':
        return waiting.reject(new Refusal('not_found', 'no such conversation'));
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

const conflict = (): Refusal =>
  new Refusal('conflict', 'this clientId was used for another message of this conversation');
