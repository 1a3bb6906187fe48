import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inTransaction, untilFree, usualBusyMs, versionOf } from '../../sqlite/transactions.ts';

/**
 * The file of an index. Its tables exist once for each generation, of which one is live; another one is being made
 * while the index is rebuilt.
 *
 *   state                 one row: the live and the next generation (0: none), the lease, how current it is
 *   generations           by which recipe each was made, and how many messages it has
 *   places_<generation>   the conversations. `k<id>` is the term that stands for one in `terms`
 *   docs_<generation>     the messages. Their ids rise with the time of acceptance (ranks.ts)
 *   terms_<generation>    FTS5 without content: for each message the terms of its text, and that of its conversation.
 *                         They are two columns: in one, a search for "k1" would find a conversation. The first column
 *                         takes two bytes less for each term, so it is that of the texts.
 *
 * The tokenizer only has to split at spaces and leave the rest alone: terms are cut before (terms.ts). `ascii` does
 * that, since it takes every character above 127 for a part of a term. Merging by tombstones is off: deleting is cheap
 * then, and the usual merges drop what is deleted.
 */
const schemaVersion = 1;

const schema = `
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1), live INTEGER NOT NULL, next INTEGER NOT NULL,
    owner TEXT NOT NULL, held_until INTEGER NOT NULL, current_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE generations (
    generation INTEGER PRIMARY KEY AUTOINCREMENT, recipe TEXT NOT NULL, docs INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO state VALUES (1, 0, 0, '', 0, 0);
  PRAGMA user_version = ${schemaVersion};
`;

export const createGeneration = (generation: number): string => `
  CREATE TABLE places_${generation} (
    id INTEGER PRIMARY KEY, conversation TEXT NOT NULL UNIQUE, indexed_to INTEGER NOT NULL, floor INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE docs_${generation} (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL, kind TEXT NOT NULL,
    version INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX docs_by_seq_${generation} ON docs_${generation} (place, seq);
  CREATE VIRTUAL TABLE terms_${generation} USING fts5(
    x, place, content = '', contentless_delete = 1, detail = full, tokenize = 'ascii'
  );
  INSERT INTO terms_${generation} (terms_${generation}, rank) VALUES ('deletemerge', 0);
`;

export const dropGeneration = (generation: number): string => `
  DROP TABLE IF EXISTS terms_${generation};
  DROP TABLE IF EXISTS docs_${generation};
  DROP TABLE IF EXISTS places_${generation};
`;

/**
 * Opens the file and makes what is missing. All of it can be made again, so commits are not synced: a power cut loses
 * the last ones and breaks nothing. Throws if it cannot be opened or has another schema.
 */
export function openDatabase(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true });
  const db = new DatabaseSync(path, { timeout: usualBusyMs });
  try {
    untilFree(() => {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864');
      if (versionOf(db) !== schemaVersion) inTransaction(db, () => versionOf(db) === 0 && db.exec(schema));
    });
    const version = versionOf(db);
    if (version !== schemaVersion)
      throw new Error(`the search index ${path} has schema ${version}, this program knows schema ${schemaVersion}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
