import { monotonicMs } from '../../timing/clocks.ts';
import type { Query } from '../query.ts';
import { firstRankAt } from '../ranks.ts';
import type { Found, Question } from '../search-index.ts';
import type { Generation } from './generation.ts';

/** Up to this many conversations are part of the question to FTS5; beyond, hits are walked through and filtered. */
const mostConversations = 256;
/** Where a walk over hits stops, to go on with the next page. */
const mostRows = 20_000;
const mostMs = 200;
const rowsPerClock = 256;

/** Terms hold no quotes (terms.ts). */
const phraseText = ({ terms, open }: Query[number]): string => `"${terms.join(' ')}"${open ? ' *' : ''}`;
const textOf = (query: Query): string => `x : (${query.map(phraseText).join(' AND ')})`;

type Row = { rank: number; conversation: string; seq: number; sender: string; kind: string };

/** Answers a question from one generation, newest first. */
export function ask(generation: Generation, question: Question): Found {
  const { conversations, sender, kind, limit } = question;
  let match = textOf(question.query);
  let among: Set<string> | null = null;
  if (conversations !== null && conversations.length <= mostConversations) {
    const places = conversations.flatMap((conversation) => generation.placeOf(conversation)?.id ?? []);
    if (places.length === 0) return { hits: [], next: null };
    match = `${match} AND place : (${places.map((id) => `k${id}`).join(' OR ')})`;
  } else if (conversations !== null) among = new Set(conversations);

  const rows = generation
    .sql(
      `SELECT t.rowid AS rank, p.conversation, d.seq, d.sender, d.kind
       FROM terms_@ AS t CROSS JOIN docs_@ AS d ON d.id = t.rowid CROSS JOIN places_@ AS p ON p.id = d.place
       WHERE terms_@ MATCH ? AND t.rowid >= ? AND t.rowid < ? ORDER BY t.rowid DESC`,
    )
    .iterate(
      match,
      firstRankAt(question.since),
      Math.min(firstRankAt(question.until), question.after ?? Infinity),
    ) as Iterable<Row>;
  const deadline = monotonicMs() + mostMs;
  const hits: Found['hits'] = [];
  let seen = 0;
  for (const row of rows) {
    seen += 1;
    const { rank, conversation, seq } = row;
    if (
      (among === null || among.has(conversation)) &&
      (sender === null || row.sender === sender) &&
      (kind === null || row.kind === kind)
    )
      hits.push({ conversation, seq, rank });
    if (hits.length === limit || seen === mostRows || (seen % rowsPerClock === 0 && monotonicMs() > deadline))
      return { hits, next: rank };
  }
  return { hits, next: null };
}
