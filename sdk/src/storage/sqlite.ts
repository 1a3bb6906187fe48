import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { Message } from '../wire.ts';
import {
  blankMeta,
  StorageFenced,
  type Batch,
  type ConversationRow,
  type IndexRow,
  type Opened,
  type Storage,
  type Stretch,
} from './storage.ts';

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

/** Tables of rows by conversation and seq. */
type Table = 'messages' | 'message_index';

const version = 1;

const schema = `
CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, at INTEGER NOT NULL, value TEXT NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conversations_by_at ON conversations (at);
CREATE TABLE IF NOT EXISTS messages (
  conversation TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message_index (
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

  const metaOf = (): Opened | null => {
    const found = parsed<Opened>(statement('SELECT value FROM meta').all())[0];
    return found === undefined ? null : { ...found, term: found.term ?? 0 };
  };

  const putMeta = ({ meta, term }: Batch): void => {
    const before = metaOf() ?? { ...blankMeta, term: 0 };
    if (term !== undefined && term < before.term) throw new StorageFenced(term, before.term);
    const value = JSON.stringify({ ...before, ...meta, term: term ?? before.term });
    statement('INSERT OR REPLACE INTO meta VALUES (1, ?)').run(value);
  };

  /** Of rows by conversation and seq, some leave, then others are stored. */
  const change = (table: Table, put: (Message | IndexRow)[] = [], drop: Stretch[] = []): void => {
    for (const { conversation, fromSeq, toSeq } of drop) {
      const leave = statement(`DELETE FROM ${table} WHERE conversation = ? AND seq BETWEEN ? AND ?`);
      leave.run(conversation, fromSeq, toSeq);
    }
    for (const row of put) {
      const store = statement(`INSERT OR REPLACE INTO ${table} VALUES (?, ?, ?)`);
      store.run(row.conversation, row.seq, JSON.stringify(row));
    }
  };

  const put = (batch: Batch): void => {
    const { conversations = [], messages = [], outbox = {}, evict = [], index = {} } = batch;
    if (batch.meta !== undefined || batch.term !== undefined) putMeta(batch);
    for (const row of conversations)
      statement('INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)').run(row.id, row.at, JSON.stringify(row));
    change('messages', messages, evict);
    change('message_index', index.put, index.drop);
    for (const entry of outbox.put ?? [])
      statement('INSERT OR REPLACE INTO outbox VALUES (?, ?, ?)').run(
        entry.order,
        entry.clientId,
        JSON.stringify(entry),
      );
    for (const clientId of outbox.drop ?? []) statement('DELETE FROM outbox WHERE clientId = ?').run(clientId);
  };

  const select = <Row>(table: Table, order: 'ASC' | 'DESC', ...within: [string, number, number, number]): Row[] =>
    parsed(
      statement(
        `SELECT value FROM ${table} WHERE conversation = ? AND seq BETWEEN ? AND ? ORDER BY seq ${order} LIMIT ?`,
      ).all(...within),
    );

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
    open: async () => metaOf(),
    write: async (batch) => inTransaction(() => put(batch)),
    conversation: async (id) =>
      parsed<ConversationRow>(statement('SELECT value FROM conversations WHERE id = ?').all(id))[0] ?? null,
    list: async (n) => parsed(statement('SELECT value FROM conversations ORDER BY at DESC LIMIT ?').all(n)),
    async read(conversation, fromSeq, toSeq, limit, newest) {
      const rows = select<Message>('messages', newest === true ? 'DESC' : 'ASC', conversation, fromSeq, toSeq, limit);
      return newest === true ? rows.toReversed() : rows;
    },
    async index(conversation, fromSeq, toSeq, limit) {
      return select<IndexRow>('message_index', 'DESC', conversation, fromSeq, toSeq, limit).toReversed();
    },
    outbox: async () => parsed<OutboxEntry>(statement('SELECT value FROM outbox ORDER BY "order"').all()),
    erase: async () =>
      inTransaction(() => {
        for (const table of ['meta', 'conversations', 'messages', 'message_index', 'outbox'])
          opened().exec(`DELETE FROM ${table}`);
      }),
    async close() {
      statements.clear();
      database?.close();
      database = null;
    },
  };
}
