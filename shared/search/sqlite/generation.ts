import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isRankAt, rankOf } from '../ranks.ts';
import type { Piece, Place, SearchDoc } from '../search-index.ts';
import { termsOf } from '../terms.ts';

/** Documents that one call removes at most: many at once cost far less for each. */
const removedInCall = 5000;

type Row = { id: number; version: number };

/** Terms of messages that one call adds, by the ids of the messages. */
type Terms = Map<number, { terms: string; place: number }>;

/** The tables of one generation, with their statements. */
export function openGeneration(db: DatabaseSync, generation: number) {
  const prepared = new Map<string, StatementSync>();
  /** Messages that were added, less those that were removed, since this was last asked for. */
  let change = 0;
  /** `@` stands for the generation. */
  const sql = (text: string): StatementSync => {
    let found = prepared.get(text);
    if (found === undefined) prepared.set(text, (found = db.prepare(text.replaceAll('@', String(generation)))));
    return found;
  };

  function placeOf(conversation: string): (Place & { id: number }) | null {
    const found = sql('SELECT id, indexed_to AS indexedTo, floor FROM places_@ WHERE conversation = ?').get(
      conversation,
    );
    return (found ?? null) as (Place & { id: number }) | null;
  }

  function remove(id: number, added?: Terms): void {
    if (added?.delete(id) !== true) sql('DELETE FROM terms_@ WHERE rowid = ?').run(id);
    sql('DELETE FROM docs_@ WHERE id = ?').run(id);
    change -= 1;
  }

  /** Removes all of a place below a seq, at most some thousands. Returns whether there may be more. */
  function removeSome(place: number, below: number): boolean {
    const ids = sql('SELECT id FROM docs_@ WHERE place = ? AND seq < ? ORDER BY seq LIMIT ?').all(
      place,
      below,
      removedInCall,
    ) as { id: number }[];
    for (const { id } of ids) remove(id);
    return ids.length === removedInCall;
  }

  /** The first id above a rank that no message has, if the rank itself is taken. */
  function free(rank: number): number {
    const gap = sql(
      `SELECT d.id + 1 AS id FROM docs_@ AS d
       WHERE d.id >= ? AND NOT EXISTS (SELECT 1 FROM docs_@ AS e WHERE e.id = d.id + 1) ORDER BY d.id LIMIT 1`,
    ).get(rank);
    return Number(gap?.['id']);
  }

  function put(place: number, conversation: string, doc: SearchDoc, added: Terms): void {
    const { seq, at, sender, kind, version } = doc;
    const terms = termsOf(doc.text).join(' ');
    /** False if the id is taken, or the message is there already: one statement for what is new, as most is. */
    const add = (id: number): boolean =>
      sql('INSERT OR IGNORE INTO docs_@ VALUES (?, ?, ?, ?, ?, ?)').run(id, place, seq, sender, kind, version)
        .changes === 1;
    let id = rankOf(at, conversation, seq);
    if (terms === '' || !add(id)) {
      const old = sql('SELECT id, version FROM docs_@ WHERE place = ? AND seq = ?').get(place, seq) as Row | undefined;
      if (old !== undefined && old.version === version && isRankAt(old.id, at)) return;
      if (old !== undefined) remove(old.id, added);
      if (terms === '') return;
      if (!add(id)) add((id = free(id)));
    }
    added.set(id, { terms, place });
    change += 1;
  }

  /** FTS5 gathers what is added in rising order of ids. An id below the last one has it write out all that it has. */
  function putTerms(added: Terms): void {
    for (const [id, { terms, place }] of [...added].sort(([one], [other]) => one - other))
      sql('INSERT INTO terms_@ (rowid, x, place) VALUES (?, ?, ?)').run(id, terms, `k${place}`);
  }

  function write({ conversation, docs, gone, indexedFrom, indexedTo }: Piece, added: Terms): void {
    const known = placeOf(conversation);
    const place =
      known?.id ?? Number(sql('INSERT INTO places_@ VALUES (NULL, ?, 0, 1)').run(conversation).lastInsertRowid);
    for (const seq of gone) {
      const old = sql('SELECT id FROM docs_@ WHERE place = ? AND seq = ?').get(place, seq) as Row | undefined;
      if (old !== undefined) remove(old.id, added);
    }
    for (const doc of docs) put(place, conversation, doc, added);
    const lowest = docs.reduce((least, { seq }) => Math.min(least, seq), known?.floor ?? 1);
    const moved = (known?.indexedTo ?? 0) >= indexedFrom ? indexedTo : 0;
    sql('UPDATE places_@ SET indexed_to = max(indexed_to, ?), floor = ? WHERE id = ?').run(moved, lowest, place);
  }

  return {
    generation,
    sql,
    placeOf,

    takeChange(): number {
      const taken = change;
      change = 0;
      return taken;
    },

    write(pieces: readonly Piece[]): void {
      const added: Terms = new Map();
      for (const piece of pieces) write(piece, added);
      putTerms(added);
    },

    removeBelow(conversation: string, seq: number): boolean {
      const place = placeOf(conversation);
      if (place === null || place.floor >= seq) return false;
      if (removeSome(place.id, seq)) return true;
      sql('UPDATE places_@ SET floor = ? WHERE id = ?').run(seq, place.id);
      return false;
    },

    forget(conversation: string): boolean {
      const place = placeOf(conversation);
      if (place === null) return false;
      if (removeSome(place.id, Infinity)) return true;
      sql('DELETE FROM places_@ WHERE id = ?').run(place.id);
      return false;
    },

    /** Merges some pages of the terms. Returns whether that had an effect. */
    tidy(): boolean {
      const changes = () => Number(db.prepare('SELECT total_changes() AS changes').get()?.['changes']);
      const before = changes();
      sql("INSERT INTO terms_@ (terms_@, rank) VALUES ('merge', 500)").run();
      return changes() - before >= 2;
    },
  };
}

export type Generation = ReturnType<typeof openGeneration>;
