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

/**
 * The pool of known clientIds for who loads conversations after a loss. `refill` puts messages of a conversation into
 * it, and resolves the time (ms since 1970) from which on the pool needs those that history has; null when it needs
 * none. Rejects with SlotClosed.
 */
export function createSentPool(redis: Redis, keys: Keys, dedupeMs: number) {
  return {
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
  };
}

export type SentPool = ReturnType<typeof createSentPool>;
