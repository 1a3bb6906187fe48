import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../../model/errors.ts';
import { acceptedAt, messageId } from '../../model/message-text.ts';
import type { MessageClass } from '../../model/model.ts';
import type { Accepted } from '../../model/results.ts';
import { monotonicMs } from '../../timing/clocks.ts';
import { writeFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';

/** A checked send, ready to be accepted. `tail` is the serialised rest of the message (message-text.ts). */
export type Send = {
  conversation: string;
  sender: string;
  clientId: string;
  /** Equal for equal kind, class and body, and practically only then. */
  fingerprint: string;
  /** Who may: the two of a direct conversation that need not exist, a member, or a service. */
  way: 'direct' | 'member' | 'service';
  /** The two of a direct conversation, joined by a comma, when `way` is direct; else ''. */
  users: string;
  /** The sending device, `noDevice` by HTTP. */
  device: string;
  class: MessageClass;
  /** The time in a UUIDv7 clientId (ms), 0 when it has none, -1 once history was searched for it. */
  made: number;
  tail: string;
};

/** A message that was accepted before, as history has it; `same`: of the same kind, class and body. */
export type FirstSend = { seq: number; streamId: string; at: number; same: boolean };

/** What the acceptance needs when Redis cannot decide by itself. Both may take their time. */
export type AcceptHelp = {
  /** Loads the conversation from history into Redis; its sends wait. Resolves false when nobody knows it. */
  load(send: Send): Promise<boolean>;
  /**
   * The first message with the clientId of each of these sends, from history; null where there is none. All are of one
   * sender to one conversation, whose other sends to it wait.
   */
  lookup(sends: Send[]): Promise<(FirstSend | null)[]>;
  /** The slot is not open. */
  closed(): void;
};

type Waiting = { send: Send; resolve: (accepted: Accepted) => void; reject: (refusal: Refusal) => void };

type Partition = {
  number: number;
  queue: Waiting[];
  /** One call is in flight at most: two could be carried out in another order. */
  busy: boolean;
  scheduled: boolean;
  /**
   * Sends that wait, in their order: by conversation while it is loaded, by `pairOf` sender and conversation while
   * history is searched.
   */
  held: Map<string, Waiting[]>;
  /**
   * The mark of the pool of known clientIds (sent-pool.include.lua), and when it was first heard of, by a clock that
   * only runs (ms).
   */
  mark: string;
  markedAt: number;
};

/** Ids hold no space, so it is never a conversation. */
const pairOf = ({ sender, conversation }: Send): string => `${sender} ${conversation}`;

/**
 * So many entries may wait for the fanout before a call waits for it, so many more make it wait a millisecond longer,
 * up to the most.
 */
const delay = { behind: 500, entriesPerMs: 100, mostMs: 50 };
const mostInCall = 64;
const mostWaiting = 20_000;

/**
 * Accepts sends: micro-batched, one script call for each partition and event-loop turn with up to 64 sends, in the
 * order of arrival. What arrives while a call is in flight makes the next one: nothing ever waits for company.
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
    /** Above so many members the messages of a group have no inbox entries. */ mostInInboxes: number;
  },
  help: AcceptHelp,
) {
  const partitions: Partition[] = Array.from({ length: keys.partitions }, (_, number) => ({
    number,
    queue: [],
    busy: false,
    scheduled: false,
    held: new Map(),
    mark: '',
    markedAt: 0,
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
      partition.mark,
      Math.floor(monotonicMs() - partition.markedAt),
    ];
    for (const { send } of batch) {
      args.push(
        send.conversation,
        send.sender,
        send.clientId,
        send.fingerprint,
        send.way,
        send.users,
        send.device,
        send.class,
        send.made,
        send.tail,
      );
    }
    void run<string[]>(
      redis,
      'accept-messages',
      [keys.partitionSlot(partition.number), keys.messages(partition.number)],
      args,
    )
      .then((replies) => settle(partition, batch, replies))
      .catch((thrown: unknown) => {
        // Whoever has an answer already keeps it.
        const refusal = writeFailure(thrown);
        for (const waiting of batch) waiting.reject(refusal);
        return 0;
      })
      .then((behind) => next(partition, behind));
  }

  /**
   * Goes on with the next call. Where the fanout is behind it comes later: what is taken faster than it can be
   * delivered takes the processor from its delivery, and waits all the same, in the stream in place of here.
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

  /** Answers a batch; how many entries the fanout is behind. */
  function settle(partition: Partition, batch: Waiting[], replies: string[]): number {
    if (replies.length === 1 && (replies[0] === 'closed' || replies[0] === 'full')) {
      if (replies[0] === 'closed') help.closed();
      const refusal = retryLater(
        replies[0] === 'full' ? 'too much is waiting to be delivered' : 'storage is being opened',
      );
      for (const waiting of batch) waiting.reject(refusal);
      return 0;
    }
    for (let i = 0; i < batch.length; i++) answer(partition, batch[i]!, replies[i]!);
    if (replies.includes('lookup'))
      lookUp(
        partition,
        batch.filter((_, i) => replies[i] === 'lookup'),
      );
    if (partition.held.size > 0) holdQueued(partition);
    note(partition, replies[batch.length + 1]);
    return Number(replies[batch.length]);
  }

  function note(partition: Partition, mark: string | undefined): void {
    if (mark === undefined || mark === partition.mark) return;
    partition.mark = mark;
    partition.markedAt = monotonicMs();
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
        return hold(
          partition,
          waiting,
          partition.held.has(waiting.send.conversation) ? waiting.send.conversation : pairOf(waiting.send),
        );
      case 'lookup':
        return hold(partition, waiting, pairOf(waiting.send));
      case 'load':
        hold(partition, waiting, waiting.send.conversation);
        return whenHelped(partition, waiting.send.conversation, [waiting], async () => {
          if (await help.load(waiting.send)) return [];
          if (waiting.send.way !== 'direct') throw new Refusal('not_found', 'no such conversation');
          return [];
        });
      default:
        waiting.reject(new Refusal('internal', `unexpected answer ${words[0]}`));
    }
  }

  /** One search for all sends of a call that one sender has to have looked for in one conversation. */
  function lookUp(partition: Partition, all: Waiting[]): void {
    for (const [pair, asked] of Map.groupBy(all, ({ send }) => pairOf(send))) {
      whenHelped(partition, pair, asked, async () => {
        const found = await help.lookup(asked.map(({ send }) => send));
        return asked.filter((waiting, i) => {
          const first = found[i]!;
          if (first === null) waiting.send.made = -1;
          else if (!first.same) waiting.reject(conflict());
          else accepted(waiting, partition, first.seq, first.streamId, first.at, true);
          return first !== null;
        });
      });
    }
  }

  /** Keeps the order of sends while an earlier one waits for history. */
  function hold(partition: Partition, waiting: Waiting, under: string): void {
    const held = partition.held.get(under);
    if (held === undefined) partition.held.set(under, [waiting]);
    else held.push(waiting);
  }

  /**
   * What a new send comes behind. What its sender waits with comes first: nothing of that is among what waits for the
   * conversation.
   */
  function heldFor({ held }: Partition, send: Send): Waiting[] | undefined {
    return held.size === 0 ? undefined : (held.get(pairOf(send)) ?? held.get(send.conversation));
  }

  /** What has arrived while a call was in flight comes after what that call has left held. */
  function holdQueued(partition: Partition): void {
    partition.queue = partition.queue.filter((waiting) => {
      const held = heldFor(partition, waiting.send);
      held?.push(waiting);
      return held === undefined;
    });
  }

  /**
   * `ask` resolves those of the held sends that have their answer already; when it rejects that is the answer of those
   * `asked` for.
   */
  function whenHelped(partition: Partition, under: string, asked: Waiting[], ask: () => Promise<Waiting[]>): void {
    const release = (answered: Waiting[]) => {
      const held = (partition.held.get(under) ?? []).filter((waiting) => !answered.includes(waiting));
      partition.held.delete(under);
      const waited = held[0] && partition.held.get(held[0].send.conversation);
      if (waited === undefined) partition.queue = [...held, ...partition.queue];
      else waited.push(...held);
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
        const held = heldFor(partition, send);
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
