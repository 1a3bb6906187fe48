import type { PendingMessage, ShownMessage } from '../../src/entries/client.ts';

/** How far a message of one's own has come. */
export type Tick = 'sending' | 'sent' | 'received' | 'read' | 'failed';

/** How far each other member has received and read a conversation. */
export type Receipts = ReadonlyMap<string, { receivedSeq: number; readSeq: number }>;

const covers = (receipts: Receipts, seq: number, kind: 'receivedSeq' | 'readSeq'): string[] =>
  [...receipts].filter(([, seqs]) => seqs[kind] >= seq).map(([user]) => user);

export const readersOf = (receipts: Receipts, seq: number): string[] => covers(receipts, seq, 'readSeq');

/** In a group one reader makes it read: who has read it is said by name. */
export function tickOf(message: ShownMessage | PendingMessage, receipts: Receipts): Tick {
  if (message.status === 'failed') return 'failed';
  if (message.status !== 'accepted') return 'sending';
  if (readersOf(receipts, message.seq).length > 0) return 'read';
  return covers(receipts, message.seq, 'receivedSeq').length > 0 ? 'received' : 'sent';
}
