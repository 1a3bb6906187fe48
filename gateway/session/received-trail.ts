import { readOrigin } from '../../shared/model/message-text.ts';

/** Maximum items whose origin is remembered; of older ones nothing is said. */
const mostRemembered = 1200;

type Step = { position: number; conversation: string; seq: number; sender: string };

/** What a device has newly received of one conversation: everything up to `seq`, which `senders` wrote. */
export type ReceivedOf = { conversation: string; seq: number; senders: string[] };

/**
 * What was handed to a device and not received yet, so that a receipt says exactly what it covers. Gaps leave no step:
 * a device that settles one has not received what lies in it.
 */
export class ReceivedTrail {
  private steps: Step[] = [];

  /** Positions may come again, but those that are new rise. */
  note(position: number, text: string): void {
    if (position <= (this.steps.at(-1)?.position ?? 0)) return;
    this.steps.push({ position, ...readOrigin(text) });
    if (this.steps.length > mostRemembered) this.steps = this.steps.slice(-mostRemembered / 2);
  }

  /** Takes out what lies at or below a position; null if nothing was handed out there. */
  take(position: number): ReceivedOf[] | null {
    const end = this.steps.findIndex((step) => step.position > position);
    const taken = end === -1 ? this.steps : this.steps.slice(0, end);
    if (taken.length === 0) return null;
    this.steps = end === -1 ? [] : this.steps.slice(end);
    return receivedOf(taken);
  }
}

/** Steps in rising order of position, by conversation. */
export function receivedOf(steps: readonly Omit<Step, 'position'>[]): ReceivedOf[] {
  const byConversation = new Map<string, { seq: number; senders: Set<string> }>();
  for (const { conversation, seq, sender } of steps) {
    let found = byConversation.get(conversation);
    if (found === undefined) byConversation.set(conversation, (found = { seq, senders: new Set() }));
    found.seq = Math.max(found.seq, seq);
    found.senders.add(sender);
  }
  return [...byConversation].map(([conversation, { seq, senders }]) => ({ conversation, seq, senders: [...senders] }));
}
