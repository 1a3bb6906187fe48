import type { Refusal } from '../../model/errors.ts';
import type { Accepted } from '../../model/results.ts';
import type { Send } from './sends.ts';

/** A send and the promise of its caller. */
export type Waiting = { send: Send; resolve: (accepted: Accepted) => void; reject: (refusal: Refusal) => void };

/** Ids hold no space, so this is never a conversation. */
export const pairOf = ({ sender, conversation }: Send): string => `${sender} ${conversation}`;

/**
 * Sends of a partition that wait for history, in their order: by conversation while it is loaded, and by `pairOf` while
 * history is searched for a clientId. A later send must not overtake them.
 */
export class HeldSends {
  private readonly byReason = new Map<string, Waiting[]>();

  get isEmpty(): boolean {
    return this.byReason.size === 0;
  }

  has(reason: string): boolean {
    return this.byReason.has(reason);
  }

  add(waiting: Waiting, reason: string): void {
    const held = this.byReason.get(reason);
    if (held === undefined) this.byReason.set(reason, [waiting]);
    else held.push(waiting);
  }

  /**
   * The held sends that a new send comes behind. Those of its own sender come first: none of them is among those that
   * wait for the conversation.
   */
  before(send: Send): Waiting[] | undefined {
    return this.byReason.size === 0
      ? undefined
      : (this.byReason.get(pairOf(send)) ?? this.byReason.get(send.conversation));
  }

  /**
   * Releases the sends held under `reason`, without those that have their answer. Sends whose conversation is being
   * loaded go on waiting for that; the others are returned.
   */
  release(reason: string, answered: Waiting[]): Waiting[] {
    const held = (this.byReason.get(reason) ?? []).filter((waiting) => !answered.includes(waiting));
    this.byReason.delete(reason);
    const loading = held[0] && this.byReason.get(held[0].send.conversation);
    if (loading === undefined) return held;
    loading.push(...held);
    return [];
  }
}
