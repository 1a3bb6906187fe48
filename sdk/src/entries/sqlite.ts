/** The entry `restante-client/sqlite`: a storage in a file, by the SQLite of Node 22.13 and newer. */
export { sqlite, StorageBusy, type SqliteOptions } from '../storage/sqlite.ts';
