import type { Writer } from '../storage/writer.ts';
import type { Frame, Target } from '../wire.ts';

/** How far the user has read, here and at the server. */
export type Reads = {
  /** Moves the read seq forward. Resolves when the server has it. */
  read(id: string, target: Target, seq: number): Promise<void>;
  /** The user has read up to here on another device. */
  elsewhere(id: string, seq: number): Promise<void>;
  /** Takes the server's numbers of unread messages, where they may differ from what was counted here. */
  ask(...ids: string[]): Promise<void>;
};

export type ReadsOptions = {
  writer: Writer;
  insist(frame: () => Frame): Promise<Frame>;
  has(feature: string): boolean;
};

/** The most conversations of one request. */
const askedMost = 200;

type Answer = { conversation: string; readSeq: number; unread: number };

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function isAnswer(value: unknown): value is Answer {
  if (typeof value !== 'object' || value === null) return false;
  const { conversation, readSeq, unread } = value as Partial<Answer>;
  return typeof conversation === 'string' && isCount(readSeq) && isCount(unread);
}

export function createReads({ writer, insist, has }: ReadsOptions): Reads {
  const set = (id: string, seq: number): void =>
    writer.change({
      async run(transaction) {
        const before = await transaction.row(id);
        const readSeq = Math.max(before.readSeq, seq);
        transaction.setRow({ ...before, readSeq, unread: readSeq >= before.lastSeq ? 0 : before.unread });
      },
    });

  const take = ({ conversation, readSeq, unread }: Answer): void =>
    writer.change({
      async run(transaction) {
        const before = await transaction.row(conversation);
        const seq = Math.max(before.readSeq, readSeq);
        transaction.setRow({ ...before, readSeq: seq, unread, countedSeq: before.lastSeq });
      },
    });

  const ask = async (...ids: string[]): Promise<void> => {
    for (let from = 0; from < ids.length && has('reads'); from += askedMost) {
      const conversations = ids.slice(from, from + askedMost);
      const answer = await insist(() => ({ type: 'reads', conversations }));
      const found = Array.isArray(answer['conversations']) ? (answer['conversations'] as unknown[]) : [];
      for (const one of found) if (isAnswer(one) && conversations.includes(one.conversation)) take(one);
    }
  };

  /** Where reading ended in the middle, only the server knows how many are left. */
  const elsewhere = async (id: string, seq: number): Promise<void> => {
    set(id, seq);
    if (seq < (await writer.row(id)).lastSeq) await ask(id);
  };

  return {
    async read(id, target, seq) {
      set(id, seq);
      const answer = await insist(() => ({ type: 'read', ...target, seq }));
      await elsewhere(id, Number(answer['seq']));
    },
    elsewhere,
    ask,
  };
}
