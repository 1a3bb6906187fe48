import { readHead } from '../../shared/model/message-text.ts';
import type { SharedFrame } from './shared-frame.ts';

/** Maximum messages that wait while a session reads its inbox. If more come, all are announced as a gap instead. */
const mostWaiting = 100;

/**
 * Keeps a conversation's messages in rising order of seq for one session, while some come by the inbox and some by the
 * channel of a large group.
 *
 * Messages of a large group have no position in the inbox. They wait until everything in the inbox is sent. A message
 * at or below what the inbox has given or announced is never sent: it would come behind a later one.
 */
export class LargeOrder {
  /** The highest seq of each conversation that the inbox has given or announced on this connection. */
  private readonly given = new Map<string, number>();
  private waiting: SharedFrame[] | null = null;
  private missed = false;

  noteGiven(conversation: string, seq: number): void {
    this.given.set(conversation, Math.max(seq, this.given.get(conversation) ?? 0));
  }

  /** The same for a message text that the inbox has given. */
  noteText(text: string): void {
    const { conversation, seq } = readHead(text);
    this.noteGiven(conversation, seq);
  }

  isGiven({ conversation, seq }: SharedFrame): boolean {
    return (this.given.get(conversation) ?? 0) >= seq;
  }

  /** Keeps an item until the inbox is sent. Drops all of them when there are too many. */
  keep(item: SharedFrame): void {
    if (this.missed) return;
    this.waiting ??= [];
    if (this.waiting.length < mostWaiting) this.waiting.push(item);
    else {
      this.missed = true;
      this.waiting = null;
    }
  }

  /** The items that have waited, in their order; null when there are none. They wait no longer. */
  takeWaiting(): SharedFrame[] | null {
    const { waiting } = this;
    this.waiting = null;
    return waiting;
  }

  /** Whether items were dropped since the last call. */
  takeMissed(): boolean {
    const { missed } = this;
    this.missed = false;
    return missed;
  }
}
