import type { Receipt, Receipts } from '../../shared/redis/conversations/receipts.ts';

/**
 * How far the other members of a conversation have received and read it. Members whose receipts are off are left out,
 * and a user whose own are off is told nothing (`takesPart`). `user` null: as a service sees it.
 */
export function createReceiptStates(
  receipts: Pick<Receipts, 'read'>,
  takesPart: (user: string) => boolean | Promise<boolean>,
  /** Of these users, those whose receipts are off. */
  hidden: (users: readonly string[]) => Promise<ReadonlySet<string>>,
) {
  async function of(conversation: string, user: string | null): Promise<Receipt[]> {
    const all = await receipts.read(conversation, user);
    if (all.length === 0 || (user !== null && !(await takesPart(user)))) return [];
    const off = await hidden(all.map((one) => one.user));
    return all.filter((one) => !off.has(one.user));
  }

  return {
    /** Rejects with `not_found` if `user` is no member now. */
    of,

    /** Of a direct conversation: what its object says of the other user, nothing where there is no receipt. */
    async peer(conversation: string, user: string): Promise<{ peerReceivedSeq?: number; peerReadSeq?: number }> {
      const [found] = await of(conversation, user);
      return found === undefined ? {} : { peerReceivedSeq: found.receivedSeq, peerReadSeq: found.readSeq };
    },
  };
}

export type ReceiptStates = ReturnType<typeof createReceiptStates>;
