/**
 * The search index by itself: how fast it is written, how large it is beside the texts, and how long questions take
 * before anything is read from history. The bodies are made (search-texts.ts); nothing else runs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseQuery } from '../shared/search/query.ts';
import type { Piece, SearchIndex } from '../shared/search/search-index.ts';
import { openIndexThread } from '../shared/search/sqlite/thread.ts';
import { median } from './median.ts';
import { createTexts } from './search-texts.ts';

export type SearchRun = {
  messages: number;
  indexedPerSecond: number;
  indexBytes: number;
  textBytes: number;
  /** By what was asked: `<characters> in <conversations>`; the median (ms). */
  p50Ms: Record<string, number>;
};

const conversations = 1000;
const messagesInWrite = 1000;
const msBetween = 20;
const start = Date.UTC(2026, 0, 1);
const questionsOfAKind = 100;
const owner = 'bench';

const idOf = (conversation: number): string => `conversation-${conversation}`;

async function fill(index: SearchIndex, messages: number, texts: ReturnType<typeof createTexts>): Promise<number> {
  const seqs = Array.from({ length: conversations }, () => 0);
  let bytes = 0;
  for (let sent = 0; sent < messages;) {
    const pieces = new Map<number, Piece>();
    for (const end = Math.min(messages, sent + messagesInWrite); sent < end; sent++) {
      // A few conversations have most of the messages.
      const conversation = Math.floor(texts.random() ** 2 * conversations);
      const seq = ++seqs[conversation]!;
      const text = texts.text();
      bytes += Buffer.byteLength(text);
      const piece = pieces.get(conversation) ?? {
        conversation: idOf(conversation),
        docs: [],
        gone: [],
        indexedFrom: 0,
        indexedTo: 0,
      };
      pieces.set(conversation, piece);
      const sender = `user-${sent % 500}`;
      piece.docs.push({ seq, at: start + sent * msBetween, sender, kind: 'text', version: 0, text });
      piece.indexedTo = seq;
    }
    await index.hold(owner, 'bench', null);
    await index.write(owner, 'live', [...pieces.values()]);
  }
  return bytes;
}

async function ask(index: SearchIndex, q: string, among: string[] | null): Promise<number> {
  const began = performance.now();
  await index.ask({
    query: parseQuery(q),
    conversations: among,
    sender: null,
    kind: null,
    since: 0,
    until: Number.MAX_SAFE_INTEGER,
    after: null,
    limit: 40,
  });
  return performance.now() - began;
}

export async function runSearch(messages: number): Promise<SearchRun> {
  const dir = await mkdtemp(join(tmpdir(), 'restante-bench-'));
  const index = openIndexThread(join(dir, 'search.db'));
  try {
    const texts = createTexts();
    await index.hold(owner, 'bench', null);
    const began = performance.now();
    const textBytes = await fill(index, messages, texts);
    const seconds = (performance.now() - began) / 1000;
    const all = Array.from({ length: conversations }, (_, conversation) => idOf(conversation));
    const kinds: Record<string, () => string[] | null> = {
      one: () => [all[Math.floor(texts.random() * conversations)]!],
      hundred: () => all.slice(0, 100),
      thousand: () => all,
      everything: () => null,
    };
    const p50Ms: Record<string, number> = {};
    for (const characters of [1, 2, 3]) {
      for (const [name, among] of Object.entries(kinds)) {
        const times: number[] = [];
        for (let i = 0; i < questionsOfAKind; i++) times.push(await ask(index, texts.part(characters), among()));
        p50Ms[`${characters} in ${name}`] = Number(median(times).toFixed(2));
      }
    }
    const { bytes: indexBytes } = await index.state();
    return { messages, indexedPerSecond: Math.round(messages / seconds), indexBytes, textBytes, p50Ms };
  } finally {
    await index.close();
    await rm(dir, { recursive: true, force: true });
  }
}

const ratio = ({ indexBytes, textBytes }: SearchRun): number => Number((indexBytes / textBytes).toFixed(2));

export const searchRow = (run: SearchRun): string =>
  [
    `       search      ${run.messages.toLocaleString('en')} messages: ` +
      `${run.indexedPerSecond.toLocaleString('en')} a second, ${ratio(run)} bytes for a byte of text`,
    ...Object.entries(run.p50Ms).map(([name, ms]) => `       search      characters ${name}: p50 ${ms} ms`),
  ].join('\n');

export const searchCase = (run: SearchRun) => ({
  name: 'search',
  system: 'restante',
  delivered_per_s: null,
  p50_ms: run.p50Ms['2 in one']!,
  p99_ms: null,
  cpu_s_per_1k: null,
  lost: 0,
  duplicated: 0,
  messages: run.messages,
  indexed_per_s: run.indexedPerSecond,
  index_bytes: run.indexBytes,
  text_bytes: run.textBytes,
  p50_ms_by_question: run.p50Ms,
});

/** The slowest of two or more characters in one conversation and in a thousand, and of a single character anywhere. */
export function searchRatios(run: SearchRun | null) {
  const slowest = (fits: (name: string) => boolean): number | null =>
    run === null ? null : Math.max(...Object.entries(run.p50Ms).flatMap(([name, ms]) => (fits(name) ? [ms] : [])));
  return {
    search_index_to_text: run === null ? null : ratio(run),
    search_in_one_p50_ms: slowest((name) => /^[23] in one$/.test(name)),
    search_in_thousand_p50_ms: slowest((name) => /^[23] in thousand$/.test(name)),
    search_character_p50_ms: slowest((name) => name.startsWith('1 in')),
  };
}
