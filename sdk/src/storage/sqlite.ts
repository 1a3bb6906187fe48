import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { Message } from '../wire.ts';
import type { Batch, ConversationRow, Opened, Storage } from './storage.ts';

export type SqliteOptions = {
  /** The path of the database, which is made if it is not there. */
  file: string;
};

/** Another process has the file: two of them would be one device that replaces itself for ever. */
export class StorageBusy extends Error {
  override readonly name = 'StorageBusy';
  constructor(file: string) {
    super(`${file} is used by another process`);
  }
}

const version = 1;

const schema = `
CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, at INTEGER NOT NULL, value TEXT NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conversations_by_at ON conversations (at);
CREATE TABLE IF NOT EXISTS messages (
  conversation TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox ("order" INTEGER NOT NULL, clientId TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
PRAGMA user_version = ${version};
`;

/**
 * Keeps everything in an SQLite file, by the SQLite of Node 22.13 and newer. The process has the file to itself. A
 * power cut may take the last transactions, which only repeats them: position and messages are in one.
 */
export function sqlite({ file }: SqliteOptions): Storage {
  let database: DatabaseSync | null = null;
  const statements = new Map<string, StatementSync>();

  const opened = (): DatabaseSync => {
    if (database !== null) return database;
    const made = new DatabaseSync(file);
    try {
      // The lock is the system's: a process that dies leaves none behind.
      made.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      const { user_version: found } = made.prepare('PRAGMA user_version').get() as { user_version: number };
      if (found > version) throw new Error(`${file} belongs to a newer version of restante-client`);
      made.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`);
    } catch (error) {
      made.close();
      if (/database is locked|busy/i.test((error as Error).message)) throw new StorageBusy(file);
      throw error;
    }
    return (database = made);
  };

  const statement = (sql: string): StatementSync => {
    const on = opened();
    let found = statements.get(sql);
    if (found === undefined) statements.set(sql, (found = on.prepare(sql)));
    return found;
  };

  const parsed = <Row>(rows: unknown[]): Row[] =>
    rows.map((row) => JSON.parse((row as { value: string }).value) as Row);

  const put = ({ meta, conversations = [], messages = [], outbox = {}, evict = [] }: Batch): void => {
    if (meta !== undefined) {
      const { user = null, device = '', position = 0, epoch = null } = meta;
      const value = JSON.stringify({ user, device, position, epoch });
      statement('INSERT OR REPLACE INTO meta VALUES (1, ?)').run(value);
    }
    for (const row of conversations)
      statement('INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)').run(row.id, row.at, JSON.stringify(row));
    for (const message of messages)
      statement('INSERT OR REPLACE INTO messages VALUES (?, ?, ?)').run(
        message.conversation,
        message.seq,
        JSON.stringify(message),
      );
    for (const { conversation, fromSeq, toSeq } of evict)
      statement('DELETE FROM messages WHERE conversation = ? AND seq BETWEEN ? AND ?').run(
        conversation,
        fromSeq,
        toSeq,
      );
    for (const entry of outbox.put ?? [])
      statement('INSERT OR REPLACE INTO outbox VALUES (?, ?, ?)').run(
        entry.order,
        entry.clientId,
        JSON.stringify(entry),
      );
    for (const clientId of outbox.drop ?? []) statement('DELETE FROM outbox WHERE clientId = ?').run(clientId);
  };

  const inTransaction = (work: () => void): void => {
    opened().exec('BEGIN IMMEDIATE');
    try {
      work();
      opened().exec('COMMIT');
    } catch (error) {
      opened().exec('ROLLBACK');
      throw error;
    }
  };

  return {
    persistent: true,
    open: async () => parsed<Opened>(statement('SELECT value FROM meta').all())[0] ?? null,
    write: async (batch) => inTransaction(() => put(batch)),
    conversation: async (id) =>
      parsed<ConversationRow>(statement('SELECT value FROM conversations WHERE id = ?').all(id))[0] ?? null,
    list: async (n) => parsed(statement('SELECT value FROM conversations ORDER BY at DESC LIMIT ?').all(n)),
    async read(conversation, fromSeq, toSeq, limit, newest) {
      const order = newest === true ? 'DESC' : 'ASC';
      const sql = `SELECT value FROM messages WHERE conversation = ? AND seq BETWEEN ? AND ?
        ORDER BY seq ${order} LIMIT ?`;
      const rows = parsed<Message>(statement(sql).all(conversation, fromSeq, toSeq, limit));
      return newest === true ? rows.toReversed() : rows;
    },
    outbox: async () => parsed<OutboxEntry>(statement('SELECT value FROM outbox ORDER BY "order"').all()),
    erase: async () =>
      inTransaction(() => {
        for (const table of ['meta', 'conversations', 'messages', 'outbox']) opened().exec(`DELETE FROM ${table}`);
      }),
    async close() {
      statements.clear();
      database?.close();
      database = null;
    },
  };
}
