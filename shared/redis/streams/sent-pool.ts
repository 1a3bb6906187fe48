import type { Redis } from 'ioredis';
import { acceptedAt } from '../../model/message-text.ts';
import { openReply } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';

/** A message that was accepted before, as the pool of known clientIds has it; `at` in ms since 1970. */
export type KnownSend = {
  sender: string;
  clientId: string;
  fingerprint: string;
  seq: number;
  streamId: string;
  at: number;
  /** Of an amend: the version that it made. */
  version?: number;
};

const entryOf = ({ sender, fingerprint, seq, streamId, at, version }: KnownSend): string =>
  version === undefined
    ? `${fingerprint} ${seq} ${streamId}${at === acceptedAt(streamId) ? '' : ` ${at}`}`
    : `${fingerprint} ${seq} ${streamId} ${at} ${version} ${sender}`;

/** The pool of known clientIds, for those who bring back what a loss has taken. Rejects with SlotClosed. */
export function createSentPool(redis: Redis, keys: Keys, dedupeMs: number) {
  return {
    /**
     * For who loads a conversation after a loss: puts its messages into the pool. Resolves the time (ms since 1970)
     * from which on the pool needs those that history has; null when it needs none.
     */
    async refill(conversation: string, sends: KnownSend[]): Promise<number | null> {
      const partition = keys.partitionOf(conversation);
      const reply = openReply(
        await run<string>(
          redis,
          'refill-pool',
          [keys.partitionSlot(partition)],
          [
            keys.partitionBase(partition),
            dedupeMs,
            conversation,
            ...sends.flatMap((send) => [send.sender, send.clientId, entryOf(send)]),
          ],
        ),
      );
      return reply.startsWith('since ') ? Number(reply.slice('since '.length)) : null;
    },

    /**
     * For who brings a single message back: a repeated send gets its answer from now on, unless another message of the
     * same clientId was accepted meanwhile. Resolves the stream id of the one that the pool has.
     */
    async know(conversation: string, send: KnownSend): Promise<string> {
      const partition = keys.partitionOf(conversation);
      const known = openReply(
        await run<string>(
          redis,
          'know-send',
          [keys.partitionSlot(partition)],
          [keys.partitionBase(partition), dedupeMs, conversation, send.sender, send.clientId, entryOf(send)],
        ),
      );
      return known.split(' ', 3)[2]!;
    },
  };
}

export type SentPool = ReturnType<typeof createSentPool>;
