import { difference, holds, withRange, type Ranges } from '../intake/ranges.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Message } from '../wire.ts';
import type { Member, News, SharedEvent } from './api.ts';

/**
 * Keeps a tab like the others. What the leader tells is shown as it comes; what may have been missed, because a leader
 * died between storing and telling, is found in the storage. Each message is an event in each tab, once.
 */
export type Mirror = {
  take(news: Exclude<News, { connection: unknown }>): void;
  /** This tab tells it to others and has shown it itself. Rows: before they are shown. */
  told(news: News): void;
  /** Reads again what the storage has. Resolves when it is shown. */
  reread(): Promise<void>;
};

/** Conversations that are read again, messages of one that were missed, and those that a view shows. */
const conversationsMost = 1000;
const missedMost = 1000;
const shownMost = 50;
const everything = Number.MAX_SAFE_INTEGER;

export function createMirror(member: Member): Mirror {
  const { storage, writer, outbox, fault } = member;
  /** The seqs whose messages were events here, or are older than this client. */
  const known = new Map<string, Ranges>();
  let turn: Promise<void> = Promise.resolve();

  const knownOf = (id: string): Ranges => {
    let found = known.get(id);
    if (found === undefined) known.set(id, (found = member.row(id)?.present ?? []));
    return found;
  };

  /** False if it was known. */
  const note = ({ conversation, seq }: Message): boolean => {
    const before = knownOf(conversation);
    known.set(conversation, withRange(before, { fromSeq: seq, toSeq: seq }));
    return !holds(before, seq);
  };

  const show = (rows: ConversationRow[], messages: Message[]): void => {
    for (const { id } of rows) knownOf(id);
    member.show(rows, messages);
  };

  const emit = (event: SharedEvent): void => {
    if (event[0] === 'message' && event[1].first && !note(event[1].message)) return;
    if (event[0] === 'accepted') outbox.settle(event[1].clientId, event[1].message);
    member.emit(...event);
  };

  const missedOf = async ({ id, present }: ConversationRow): Promise<Message[]> => {
    const messages: Message[] = [];
    for (const { fromSeq, toSeq } of difference(present, knownOf(id)))
      messages.push(...(await storage.read(id, fromSeq, toSeq, missedMost, true)));
    return messages;
  };

  const read = async (): Promise<void> => {
    const opened = await storage.open();
    if (opened === null) return;
    const { term: _, ...meta } = opened;
    const rows = await storage.list(conversationsMost);
    const missed = (await Promise.all(rows.map(missedOf))).flat();
    // What is shown may have been amended.
    const shown = await Promise.all(member.shown().map((id) => storage.read(id, 1, everything, shownMost, true)));
    const entries = await storage.outbox();
    writer.take(rows, meta);
    show(rows, [...missed, ...shown.flat()]);
    for (const message of missed) {
      const live = message.seq > (knownOf(message.conversation).at(-1)?.toSeq ?? 0);
      emit(['message', { message, live, first: true }]);
    }
    outbox.load(entries);
  };

  const inTurn = (work: () => void | Promise<void>): Promise<void> =>
    (turn = turn.then(work).catch((error: unknown) => fault(error as Error, 'tabs')));

  const apply = (news: Exclude<News, { connection: unknown }>): void => {
    if ('rows' in news) {
      writer.take(news.rows, news.meta);
      show(news.rows, news.messages);
    } else if ('entry' in news) outbox.load([news.entry]);
    else if ('cancelled' in news) outbox.forget(news.cancelled);
    else emit(news.event);
  };

  return {
    take: (news) => void inTurn(() => apply(news)),
    told(news) {
      if ('rows' in news) for (const { id } of news.rows) knownOf(id);
      else if ('event' in news && news.event[0] === 'message') note(news.event[1].message);
    },
    reread: () => inTurn(read),
  };
}
