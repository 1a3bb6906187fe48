import type { Redis } from 'ioredis';
import { openReply } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { createAsking, type Help } from './asking.ts';

/** How far one member has received and read a conversation. */
export type Receipt = { user: string; receivedSeq: number; readSeq: number };

/**
 * What is new of one user in one conversation; seqs are 0 where nothing is. `senders`: who is known to have written
 * lately, and the last seq of each.
 */
export type ReceiptNote = {
  conversation: string;
  user: string;
  received: number;
  read: number;
  sent: number;
  senders: readonly { user: string; seq: number }[];
};

/** `none`: nothing is kept of this user there. */
export type Noted = 'none' | 'same' | { received: MovedTo | null; read: MovedTo | null };
/** The seq that now holds, and the members who are to be told. */
export type MovedTo = { seq: number; tell: string[] };

const movedTo = (seq: string, users: string): MovedTo | null =>
  seq === '-' ? null : { seq: Number(seq), tell: users === '-' ? [] : users.split(',') };

/**
 * Receipts of conversations, in the slot of each. They are lost with Redis: then they begin again with what moves.
 * `mostMembers`: conversations of more members have none.
 */
export function createReceipts(redis: Redis, keys: Keys, mostMembers: number, help: Help) {
  const asked = createAsking(help);

  return {
    /**
     * Notes what is new in conversations of one partition; resolves one outcome for each note, in their order. Those of
     * one conversation must follow each other. Rejects with SlotClosed, or as Redis does: it may be repeated.
     */
    async note(partition: number, notes: readonly ReceiptNote[]): Promise<Noted[]> {
      const args: (string | number)[] = [keys.partitionBase(partition), mostMembers];
      for (let i = 0; i < notes.length;) {
        const { conversation } = notes[i]!;
        let end = i;
        while (end < notes.length && notes[end]!.conversation === conversation) end += 1;
        args.push(conversation, end - i);
        for (; i < end; i++) {
          const { user, received, read, sent, senders } = notes[i]!;
          args.push(user, received, read, sent, senders.map((sender) => `${sender.user}:${sender.seq}`).join(','));
        }
      }
      const [, ...replies] = openReply(
        await run<string[] | ['closed']>(redis, 'note-receipts', [keys.partitionSlot(partition)], args),
      );
      return replies.map((reply): Noted => {
        if (reply === 'none' || reply === 'same') return reply;
        const [received, receivedBy, read, readBy] = reply.split(' ') as [string, string, string, string];
        return { received: movedTo(received, receivedBy), read: movedTo(read, readBy) };
      });
    },

    /**
     * The receipts of the other members (`user` null: of all). Rejects with `not_found` if `user` is no member now.
     */
    async read(conversation: string, user: string | null): Promise<Receipt[]> {
      const partition = keys.partitionOf(conversation);
      const used = [
        keys.partitionSlot(partition),
        keys.conversation(partition, conversation),
        keys.members(partition, conversation),
        keys.receipts(partition, conversation),
      ];
      const [, ...flat] = await asked(conversation, () =>
        run<string[]>(redis, 'read-receipts', used, [user ?? '', mostMembers]),
      );
      return Array.from({ length: flat.length / 3 }, (_, i) => ({
        user: flat[3 * i]!,
        receivedSeq: Number(flat[3 * i + 1]),
        readSeq: Number(flat[3 * i + 2]),
      }));
    },
  };
}

export type Receipts = ReturnType<typeof createReceipts>;
