import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inTransaction, untilFree, usualBusyMs, versionOf } from '../../sqlite/transactions.ts';

const schemaVersion = 9;

const gateTables = `
  CREATE TABLE processes (
    id TEXT PRIMARY KEY, role TEXT NOT NULL, host TEXT NOT NULL, boot_id TEXT NOT NULL, pid_namespace TEXT NOT NULL,
    pid INTEGER NOT NULL, pid_start TEXT NOT NULL, formats INTEGER NOT NULL, since INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE slots (
    slot TEXT PRIMARY KEY, gate INTEGER NOT NULL DEFAULT 0, mark INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;`;

const settingsTable = `
  CREATE TABLE settings (
    user TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (user, key)
  ) STRICT, WITHOUT ROWID;`;

/** `baked`: whether the blocks hold it. */
const amendmentTable = `
  CREATE TABLE amendments (
    conversation TEXT NOT NULL, seq INTEGER NOT NULL, amend_seq INTEGER NOT NULL, version INTEGER NOT NULL,
    action TEXT NOT NULL, "by" TEXT NOT NULL, at INTEGER NOT NULL, body TEXT, baked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX amendments_by_amend ON amendments (conversation, amend_seq);
  CREATE INDEX amendments_to_bake ON amendments (at) WHERE baked = 0;`;

/**
 * The rows of blocks are narrow and lie beside those of their conversation, the texts lie in the order of arrival.
 * Against one wide table without rowid that halves the time of an insert (texts of 254 bytes, 64 blocks of one text to
 * a call, each call synced: 13 against 27 microseconds), and a walk over many blocks reads no texts. By the format of a
 * block `text_id` leads to its texts, to its pack (the texts compressed), or nowhere (a stub). `apart` is 1 where
 * retention has come upon a block whose conversation has days of its own: the walk over all that is old does not meet
 * it again.
 */
const schema = `
  CREATE TABLE blocks (
    conversation TEXT NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, format INTEGER NOT NULL, text_id INTEGER NOT NULL,
    apart INTEGER NOT NULL DEFAULT 0, rev INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, first_seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blocks_by_end ON blocks (apart, last_at);
  CREATE TABLE texts (id INTEGER PRIMARY KEY, texts TEXT NOT NULL) STRICT;
  CREATE TABLE packs (id INTEGER PRIMARY KEY, pack BLOB NOT NULL) STRICT;
  CREATE TABLE conversations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT, created_at INTEGER NOT NULL, service INTEGER NOT NULL,
    user_a TEXT, user_b TEXT, version INTEGER NOT NULL, history_days INTEGER,
    creator TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX conversations_by_days ON conversations (history_days, id) WHERE history_days > 0;
  CREATE TABLE members (
    conversation TEXT NOT NULL, user TEXT NOT NULL, spans TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX members_by_user ON members (user, conversation);
  CREATE TABLE skips (
    conversation TEXT NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, from_seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE progress (
    partition INTEGER PRIMARY KEY, stream_id TEXT NOT NULL, complete_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE deployment (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, generation INTEGER NOT NULL,
    partitions INTEGER NOT NULL, inbox_shards INTEGER NOT NULL, opened INTEGER NOT NULL, losses TEXT NOT NULL,
    formats INTEGER NOT NULL DEFAULT 1
  ) STRICT;
  ${gateTables}
  ${amendmentTable}
  ${settingsTable}
  PRAGMA user_version = ${schemaVersion};
`;

/** What brings a file of each older schema one further. */
const upgrades: Record<number, string> = {
  1: 'CREATE INDEX blocks_by_end ON blocks (last_at); PRAGMA user_version = 2;',
  2: 'CREATE TABLE packs (id INTEGER PRIMARY KEY, pack BLOB NOT NULL) STRICT; PRAGMA user_version = 3;',
  3: `ALTER TABLE blocks ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;
    DROP INDEX blocks_by_end; CREATE INDEX blocks_by_end ON blocks (apart, last_at);
    ALTER TABLE conversations ADD COLUMN history_days INTEGER;
    CREATE INDEX conversations_by_days ON conversations (history_days, id) WHERE history_days > 0;
    PRAGMA user_version = 4;`,
  4: `ALTER TABLE deployment ADD COLUMN opened INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE deployment ADD COLUMN losses TEXT NOT NULL DEFAULT '[]';
    UPDATE deployment
      SET losses = json_array(json_object('epoch', epoch, 'generation', generation, 'lostSince', lost_since))
      WHERE lost_since IS NOT NULL;
    ALTER TABLE deployment DROP COLUMN lost_since;
    PRAGMA user_version = 5;`,
  5: `ALTER TABLE deployment ADD COLUMN formats INTEGER NOT NULL DEFAULT 1; ${gateTables} PRAGMA user_version = 6;`,
  6: `ALTER TABLE blocks ADD COLUMN rev INTEGER NOT NULL DEFAULT 0; ${amendmentTable} PRAGMA user_version = 7;`,
  7: 'ALTER TABLE conversations ADD COLUMN creator TEXT; PRAGMA user_version = 8;',
  8: `${settingsTable} PRAGMA user_version = 9;`,
};

/** Makes the tables of a new file, and upgrades one of an older version. A newer one is left as it is. */
function bringUpToDate(db: DatabaseSync): void {
  if (versionOf(db) === 0) db.exec(schema);
  for (let upgrade = upgrades[versionOf(db)]; upgrade !== undefined; upgrade = upgrades[versionOf(db)])
    db.exec(upgrade);
}

/**
 * Opens the file and makes what is missing: its folder, itself, its tables. Processes may do so at the same moment.
 * Throws when it cannot be opened or was written with another schema. `readOnly` makes nothing and needs a whole file.
 */
export function openDatabase(path: string, readOnly: boolean, busyMs = usualBusyMs): DatabaseSync {
  if (!readOnly) mkdirSync(dirname(path), { recursive: true });
  const db = new DatabaseSync(path, { readOnly, timeout: busyMs });
  try {
    untilFree(() => {
      if (!readOnly)
        db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864');
      // What is deleted is overwritten: a recalled body must not stay in the file.
      if (!readOnly) db.exec('PRAGMA secure_delete = ON');
      if (!readOnly && versionOf(db) !== schemaVersion) inTransaction(db, () => bringUpToDate(db));
    });
    const version = untilFree(() => versionOf(db));
    if (version !== schemaVersion)
      throw new Error(`the history ${path} has schema ${version}, this program knows schema ${schemaVersion}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
