import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../errors.ts';
import { acceptedAt, messageId } from '../message-text.ts';
import type { MessageClass } from '../model.ts';
import { writeFailure } from './failures.ts';
import type { Keys } from './keys.ts';
import { run } from './scripts.ts';

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
  /** The time in a UUIDv7 clientId (ms), 0 when it has none. */
  made: number;
  tail: string;
};

export type Accepted = { id: string; conversation: string; seq: number; at: number; duplicate: boolean };

/** What the acceptance needs when Redis cannot decide by itself. Both may take their time; the conversation waits. */
export type AcceptHelp = {
  /** Loads the conversation from history into Redis. Resolves false when nobody knows it. */
  load(send: Send): Promise<boolean>;
  /** The first message with this clientId of this sender in the conversation, from history; null when there is none. */
  lookup(send: Send): Promise<{ seq: number; streamId: string; same: boolean } | null>;
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
  /** Sends to conversations that are being loaded or searched, in their order. */
  held: Map<string, Waiting[]>;
};

/** So many entries may wait for the fanout before a call waits for it, so many more make it wait a millisecond longer, up to the most. */
const delay = { behind: 500, entriesPerMs: 100, mostMs: 50 };
const mostInCall = 64;
const mostWaiting = 20_000;

/**
 * Accepts sends: micro-batched, one script call for each partition and event-loop turn with up to 64 sends, in the order of
 * arrival. What arrives while a call is in flight makes the next one: nothing ever waits for company.
 *
 * `accept` rejects with a Refusal: `retry_later` (certainly not accepted), `unknown_outcome` (send again with the same
 * clientId), `conflict`, `not_found`.
 */
export function createMessages(
  redis: Redis,
  keys: Keys,
  options: { dedupeMs: number; mostUnsettled: number; /** Above so many members the messages of a group have no inbox entries. */ mostInInboxes: number },
  help: AcceptHelp,
) {
  const partitions: Partition[] = Array.from({ length: keys.partitions }, (_, number) => ({
    number,
    queue: [],
    busy: false,
    scheduled: false,
    held: new Map(),
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
    const args: (string | number)[] = [keys.partitionBase(partition.number), options.dedupeMs, options.mostUnsettled, options.mostInInboxes];
    for (const { send } of batch) {
      args.push(
        send.conversation, send.sender, send.clientId, send.fingerprint, send.way, send.users,
        send.device, send.class, send.made, send.tail,
      );
    }
    void run<string[]>(redis, 'accept-messages', [keys.partitionSlot(partition.number), keys.messages(partition.number)], args)
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
   * Goes on with the next call. Where the fanout is behind it comes later: what is taken faster than it can be delivered takes the
   * processor from its delivery, and waits all the same, in the stream in place of here.
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
      const refusal = retryLater(replies[0] === 'full' ? 'too much is waiting to be delivered' : 'storage is being opened');
      for (const waiting of batch) waiting.reject(refusal);
      return 0;
    }
    for (let i = 0; i < batch.length; i++) answer(partition, batch[i]!, replies[i]!);
    if (partition.held.size > 0) holdQueued(partition);
    return Number(replies[batch.length]);
  }

  function accepted(waiting: Waiting, partition: Partition, seq: number, streamId: string, duplicate: boolean): void {
    waiting.resolve({
      id: messageId(partition.number, streamId),
      conversation: waiting.send.conversation,
      seq,
      at: acceptedAt(streamId),
      duplicate,
    });
  }

  function answer(partition: Partition, waiting: Waiting, reply: string): void {
    const words = reply.split(' ');
    switch (words[0]) {
      case 'accepted':
      case 'duplicate':
        return accepted(waiting, partition, Number(words[1]), words[2]!, words[0] === 'duplicate');
      case 'conflict':
        return waiting.reject(conflict());
      case 'not_found':
        return waiting.reject(new Refusal('not_found', 'no such conversation'));
      case 'held':
        return hold(partition, waiting);
      case 'load':
        hold(partition, waiting);
        return whenHelped(partition, waiting, async () => {
          if (await help.load(waiting.send)) return;
          if (waiting.send.way !== 'direct') throw new Refusal('not_found', 'no such conversation');
        });
      case 'lookup':
        hold(partition, waiting);
        return whenHelped(partition, waiting, async () => {
          const first = await help.lookup(waiting.send);
          if (first === null) waiting.send.made = 0;
          else if (!first.same) throw conflict();
          else accepted(waiting, partition, first.seq, first.streamId, true);
          return first !== null;
        });
      default:
        waiting.reject(new Refusal('internal', `unexpected answer ${words[0]}`));
    }
  }

  /** Keeps the order of a conversation's sends while the first of them waits for history. */
  function hold(partition: Partition, waiting: Waiting): void {
    const held = partition.held.get(waiting.send.conversation);
    if (held === undefined) partition.held.set(waiting.send.conversation, [waiting]);
    else held.push(waiting);
  }

  /** What has arrived while a call was in flight comes after what that call has left held. */
  function holdQueued(partition: Partition): void {
    const isHeld = ({ send }: Waiting): boolean => partition.held.has(send.conversation);
    for (const waiting of partition.queue.filter(isHeld)) hold(partition, waiting);
    partition.queue = partition.queue.filter((waiting) => !isHeld(waiting));
  }

  /** `answered` resolves true when the first of the held sends has its answer already. */
  function whenHelped(partition: Partition, first: Waiting, answered: () => Promise<boolean | void>): void {
    const release = (done: boolean) => {
      const held = partition.held.get(first.send.conversation) ?? [];
      partition.held.delete(first.send.conversation);
      partition.queue = [...(done ? held.filter((waiting) => waiting !== first) : held), ...partition.queue];
      schedule(partition);
    };
    answered().then(
      (done) => release(done === true),
      (thrown: unknown) => {
        first.reject(thrown instanceof Refusal ? thrown : retryLater('history does not answer now', thrown));
        release(true);
      },
    );
  }

  return {
    accept(send: Send): Promise<Accepted> {
      const partition = partitions[keys.partitionOf(send.conversation)]!;
      return new Promise<Accepted>((resolve, reject) => {
        if (partition.queue.length >= mostWaiting) return reject(retryLater('too many messages are waiting to be accepted'));
        const waiting = { send, resolve, reject };
        const held = partition.held.get(send.conversation);
        if (held !== undefined) held.push(waiting);
        else partition.queue.push(waiting);
        schedule(partition);
      });
    },
  };
}

export type Messages = ReturnType<typeof createMessages>;

const conflict = (): Refusal => new Refusal('conflict', 'this clientId was used for another message of this conversation');
