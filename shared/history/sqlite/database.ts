import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { inTransaction } from '../../sqlite/transactions.ts';
import { openDatabase } from './schema.ts';
import { reads, writes } from './sql.ts';

/** The statements, prepared once. A statement that is not tied to an open read keeps no lock between calls. */
const prepareAll = <Name extends string>(db: DatabaseSync, texts: Record<Name, string>): Record<Name, StatementSync> =>
  Object.fromEntries(Object.entries<string>(texts).map(([name, text]) => [name, db.prepare(text)])) as Record<
    Name,
    StatementSync
  >;

/** The database with its statements. Throws if the file cannot be opened. */
export function openStatements(path: string, options: { readOnly?: boolean; busyMs?: number }) {
  const db = openDatabase(path, options.readOnly ?? false, options.busyMs);
  const read = prepareAll(db, reads);
  const write = prepareAll(db, options.readOnly ? ({} as typeof writes) : writes);

  const rows = <Row>(statement: StatementSync, values: Record<string, SQLInputValue> = {}): Row[] =>
    statement.all(values).map((row) => ({ ...row })) as Row[];
  const row = <Row>(statement: StatementSync, values: Record<string, SQLInputValue> = {}): Row | null =>
    rows<Row>(statement, values)[0] ?? null;

  return {
    read,
    write,
    rows,
    row,

    transaction<T>(task: () => T): T {
      if (options.readOnly) throw new Error(`the history ${path} is open for reading only`);
      return inTransaction(db, task);
    },

    /** A read of several statements that sees one state. */
    consistently<T>(task: () => T): T {
      db.exec('BEGIN');
      try {
        return task();
      } finally {
        db.exec('COMMIT');
      }
    },

    close(): void {
      if (db.isOpen) db.close();
    },
  };
}

export type Statements = ReturnType<typeof openStatements>;
