import pLimit from 'p-limit';
import { notFound, Refusal, retryLater } from '../../shared/model/errors.ts';
import { parseMessage, readHead } from '../../shared/model/message-text.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { isIndexing } from '../../shared/search/call.ts';
import { matches, parseQuery, type Query } from '../../shared/search/query.ts';
import type { Hit } from '../../shared/search/search-index.ts';
import { searchableText } from '../../shared/search/searchable.ts';
import { termsOf } from '../../shared/search/terms.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { HistoryPages } from './history-pages.ts';
import type { SearchCursors } from './search-cursors.ts';
import type { SearchQuestions } from './search-questions.ts';

export type SearchAsk = {
  q: string;
  conversation?: string | undefined;
  from?: string | undefined;
  kind?: string | undefined;
  /** Accepted after, or before, this moment (ms since 1970). */
  after?: number | undefined;
  before?: number | undefined;
  limit: number;
  next?: string | undefined;
};

/** Message texts as history gives them now, newest first. */
export type SearchPage = { messages: string[]; more: boolean; next?: string; indexing: boolean };

const readsAtOnce = 8;
/** Hits that one question to the index brings at most. */
const mostHits = 100;
const leastHits = 20;
/** Where no hit is confirmed, the index is asked on, so that a page is seldom empty. */
const mostRounds = 3;
/** Hits of a conversation that are this close are read in one piece. */
const mostBetween = 16;
const mostInPiece = 100;

/** The hits of a conversation in pieces that are worth one read each, from the lowest seq to the highest. */
function piecesOf(seqs: readonly number[]): { first: number; last: number }[] {
  const pieces: { first: number; last: number }[] = [];
  for (const seq of seqs.toSorted((a, b) => a - b)) {
    const open = pieces.at(-1);
    if (open !== undefined && seq - open.last <= mostBetween && seq - open.first < mostInPiece) open.last = seq;
    else pieces.push({ first: seq, last: seq });
  }
  return pieces;
}

/**
 * Searches messages. The index says where to look, and nothing more: _must hold:_ what is shown always comes from
 * history as this reader may read it at this moment, and its text must be what was searched for. So an index that is
 * behind or wrong can only miss.
 */
export function createSearch(parts: {
  questions: Pick<SearchQuestions, 'ask'>;
  cursors: SearchCursors;
  inboxes: Pick<Inboxes, 'user'>;
  history: Pick<HistoryPages, 'page'>;
  kinds: readonly string[];
  metrics: Pick<Metrics, 'searchSeconds' | 'searchDropped'>;
}) {
  const { questions, cursors, inboxes, history, kinds, metrics } = parts;

  /** Where the reader may have something to read; null: everywhere. */
  async function conversationsOf(user: string | null, asked: string | undefined): Promise<string[] | null> {
    if (user === null) return asked === undefined ? null : [asked];
    const own = (await inboxes.user(user)).conversations.map(({ conversation }) => conversation);
    if (asked === undefined) return own;
    // Otherwise the number of pages would tell what is written there.
    if (!own.includes(asked)) throw notFound();
    return [asked];
  }

  /** The texts of hits, by conversation and seq, as the reader may read them. */
  async function read(user: string | null, hits: readonly Hit[]): Promise<Map<string, string>> {
    const limit = pLimit(readsAtOnce);
    const texts = new Map<string, string>();
    const readPiece = async (conversation: string, first: number, last: number): Promise<void> => {
      try {
        const asked = { after: first - 1, before: last + 1, limit: last - first + 1 };
        for (const text of (await history.page(conversation, user, asked)).messages)
          texts.set(`${conversation} ${readHead(text).seq}`, text);
      } catch (thrown) {
        if (!(thrown instanceof Refusal && thrown.code === 'not_found')) throw thrown;
      }
    };
    const byConversation = Map.groupBy(hits, ({ conversation }) => conversation);
    await Promise.all(
      [...byConversation].flatMap(([conversation, found]) =>
        piecesOf(found.map(({ seq }) => seq)).map(({ first, last }) =>
          limit(() => readPiece(conversation, first, last)),
        ),
      ),
    );
    return texts;
  }

  /** Whether a text is what was asked for, as it is now. */
  function fits(text: string, query: Query, { from, kind, after, before }: SearchAsk): boolean {
    const message = parseMessage(text);
    return (
      (from === undefined || message.sender === from) &&
      (kind === undefined || message.kind === kind) &&
      (after === undefined || message.at > after) &&
      (before === undefined || message.at < before) &&
      matches(query, termsOf(searchableText(message, kinds)))
    );
  }

  async function search(user: string | null, asked: SearchAsk): Promise<SearchPage> {
    const { q, conversation, from, kind, after, before, limit } = asked;
    const query = parseQuery(q);
    const about = JSON.stringify([user, q, conversation, from, kind, after, before]);
    let place = asked.next === undefined ? null : await cursors.read(about, asked.next);
    const conversations = await conversationsOf(user, conversation);
    const messages: string[] = [];
    let indexing = false;
    for (let round = 0; round < mostRounds && messages.length === 0; round++) {
      const answer = await questions.ask({
        type: 'ask',
        question: {
          query,
          conversations,
          sender: from ?? null,
          kind: kind ?? null,
          since: after === undefined ? 0 : after + 1,
          until: before ?? Number.MAX_SAFE_INTEGER,
          after: place,
          limit: Math.min(mostHits, Math.max(leastHits, 2 * limit)),
        },
      });
      if (answer.type !== 'found') throw retryLater('the search index does not answer');
      indexing ||= isIndexing(answer);
      place = answer.next;
      const texts = await read(user, answer.hits);
      for (const [i, hit] of answer.hits.entries()) {
        const text = texts.get(`${hit.conversation} ${hit.seq}`);
        if (text === undefined) metrics.searchDropped.inc({ why: 'unseen' });
        else if (!fits(text, query, asked)) metrics.searchDropped.inc({ why: 'changed' });
        else messages.push(text);
        if (messages.length < limit) continue;
        if (i < answer.hits.length - 1) place = hit.rank;
        break;
      }
      if (place === null) return { messages, more: false, indexing };
    }
    return { messages, more: true, next: await cursors.write(about, place!), indexing };
  }

  /** `user` null: everything, as a service sees it. */
  return async (user: string | null, asked: SearchAsk): Promise<SearchPage> => {
    const began = monotonicMs();
    try {
      return await search(user, asked);
    } finally {
      metrics.searchSeconds.observe((monotonicMs() - began) / 1000);
    }
  };
}

export type Search = ReturnType<typeof createSearch>;
