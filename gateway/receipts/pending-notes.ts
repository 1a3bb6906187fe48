import type { ReceiptNote } from '../../shared/redis/conversations/receipts.ts';

/** Maximum senders of one note; the newest stay. */
const mostSenders = 20;

type News = Partial<Pick<ReceiptNote, 'received' | 'read' | 'sent' | 'senders'>>;
type Waiting = { received: number; read: number; sent: number; senders: Map<string, number>; due: number };

/** Notes that wait to be written, joined by conversation and user. Of each seq the highest stays. */
export class PendingNotes {
  /** How many notes wait. */
  size = 0;
  private readonly byConversation = new Map<string, Map<string, Waiting>>();

  /** False, with nothing kept, if another one would be more than `most`. An earlier `due` of the same note stays. */
  add(user: string, conversation: string, news: News, due: number, most: number): boolean {
    let users = this.byConversation.get(conversation);
    let waiting = users?.get(user);
    if (waiting === undefined) {
      if (this.size >= most) return false;
      if (users === undefined) this.byConversation.set(conversation, (users = new Map()));
      users.set(user, (waiting = { received: 0, read: 0, sent: 0, senders: new Map(), due }));
      this.size += 1;
    }
    waiting.received = Math.max(waiting.received, news.received ?? 0);
    waiting.read = Math.max(waiting.read, news.read ?? 0);
    waiting.sent = Math.max(waiting.sent, news.sent ?? 0);
    for (const sender of news.senders ?? []) {
      const known = waiting.senders.get(sender.user) ?? 0;
      waiting.senders.delete(sender.user);
      waiting.senders.set(sender.user, Math.max(known, sender.seq));
    }
    while (waiting.senders.size > mostSenders) waiting.senders.delete(waiting.senders.keys().next().value!);
    return true;
  }

  /** Takes out what is due at `now`; the notes of one conversation follow each other. */
  take(now: number): ReceiptNote[] {
    const notes: ReceiptNote[] = [];
    for (const [conversation, users] of this.byConversation) {
      for (const [user, { due, senders, ...seqs }] of users) {
        if (due > now) continue;
        notes.push({
          user,
          conversation,
          ...seqs,
          senders: [...senders].map(([sender, seq]) => ({ user: sender, seq })).reverse(),
        });
        users.delete(user);
        this.size -= 1;
      }
      if (users.size === 0) this.byConversation.delete(conversation);
    }
    return notes;
  }
}
