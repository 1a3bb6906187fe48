import type { Client } from '../../src/entries/client.ts';
import type { Receipts } from '../model/ticks.ts';

/** How far others have received and read, by conversation. */
export type AllReceipts = {
  of(conversation: string): Receipts;
  /** Asks how far everybody is: only what changes from then on comes by itself. */
  ask(conversation: string, peer: string | undefined): void;
};

type Seqs = { receivedSeq: number; readSeq: number };

const none: Receipts = new Map();
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0);

export function createReceipts(client: Client, changed: () => void): AllReceipts {
  const all = new Map<string, Map<string, Seqs>>();

  /** Both only rise; after a loss of the server's state the higher one that is known here stays. */
  const raise = (conversation: string, user: string, found: Seqs): void => {
    const users = all.get(conversation) ?? new Map<string, Seqs>();
    const before = users.get(user) ?? { receivedSeq: 0, readSeq: 0 };
    const readSeq = Math.max(before.readSeq, found.readSeq);
    users.set(user, { readSeq, receivedSeq: Math.max(before.receivedSeq, found.receivedSeq, readSeq) });
    all.set(conversation, users);
    changed();
  };

  client.on('receipt', ({ conversation, user, kind, seq }) => {
    if (typeof conversation !== 'string' || typeof user !== 'string' || typeof seq !== 'number') return;
    raise(conversation, user, { receivedSeq: seq, readSeq: kind === 'read' ? seq : 0 });
  });

  return {
    of: (conversation) => all.get(conversation) ?? none,
    ask(conversation, peer) {
      if (!client.features.includes('receipts')) return;
      const target = peer === undefined ? { conversation } : { to: peer };
      client.request({ type: 'receipts', ...target }).then(
        ({ members }) => {
          for (const { user, receivedSeq, readSeq } of (members ?? []) as Record<string, unknown>[]) {
            const seqs = { receivedSeq: numberOf(receivedSeq), readSeq: numberOf(readSeq) };
            if (typeof user === 'string') raise(conversation, user, seqs);
          }
        },
        // A conversation without a message has none, and those of a very large group are not kept.
        () => undefined,
      );
    },
  };
}
