import { readOrigin } from '../../shared/model/message-text.ts';

/** Maximum items whose origin is remembered; of older ones nothing is said. */
const mostRemembered = 1200;
/** Maximum conversations, and senders of one, that are remembered after their items were received. */
const mostConversations = 64;
const mostSenders = 20;

type Step = { position: number; conversation: string; seq: number; sender: string };

/** Who wrote, and the last seq of it that is known. */
export type Sender = { user: string; seq: number };

/** What a device has newly received of one conversation: everything up to `seq`, which `senders` wrote. */
export type ReceivedOf = { conversation: string; seq: number; senders: Sender[] };

/**
 * What was handed to a device and not received yet, so that a receipt says exactly what it covers. Gaps leave no step:
 * a device that settles one has not received what lies in it.
 */
export class ReceivedTrail {
  private steps: Step[] = [];
  /** By conversation, the last seq of each sender; both with the newest at the end. */
  private readonly recent = new Map<string, Map<string, number>>();

  /** Positions may come again, but those that are new rise. */
  note(position: number, text: string): void {
    if (position <= (this.steps.at(-1)?.position ?? 0)) return;
    const origin = readOrigin(text);
    this.steps.push({ position, ...origin });
    if (this.steps.length > mostRemembered) this.steps = this.steps.slice(-mostRemembered / 2);
    this.remember(origin);
  }

  /** Takes out what lies at or below a position; null if nothing was handed out there. */
  take(position: number): ReceivedOf[] | null {
    const end = this.steps.findIndex((step) => step.position > position);
    const taken = end === -1 ? this.steps : this.steps.slice(0, end);
    if (taken.length === 0) return null;
    this.steps = end === -1 ? [] : this.steps.slice(end);
    return receivedOf(taken);
  }

  /** Who wrote lately in a conversation, of what was handed to the device. */
  sendersOf(conversation: string): Sender[] {
    return [...(this.recent.get(conversation) ?? [])].map(([user, seq]) => ({ user, seq }));
  }

  private remember({ conversation, seq, sender }: Omit<Step, 'position'>): void {
    const senders = this.recent.get(conversation) ?? new Map<string, number>();
    senders.delete(sender);
    senders.set(sender, seq);
    if (senders.size > mostSenders) senders.delete(senders.keys().next().value!);
    this.recent.delete(conversation);
    this.recent.set(conversation, senders);
    if (this.recent.size > mostConversations) this.recent.delete(this.recent.keys().next().value!);
  }
}

/** Steps in rising order of seq in each conversation, by conversation. */
export function receivedOf(steps: readonly Omit<Step, 'position'>[]): ReceivedOf[] {
  const byConversation = new Map<string, { seq: number; senders: Map<string, number> }>();
  for (const { conversation, seq, sender } of steps) {
    let found = byConversation.get(conversation);
    if (found === undefined) byConversation.set(conversation, (found = { seq, senders: new Map() }));
    found.seq = Math.max(found.seq, seq);
    found.senders.set(sender, Math.max(seq, found.senders.get(sender) ?? 0));
  }
  return [...byConversation].map(([conversation, { seq, senders }]) => ({
    conversation,
    seq,
    senders: [...senders].map(([user, last]) => ({ user, seq: last })),
  }));
}
