/** The entry `restante-client/indexeddb`: the storage of browsers. */
export { StorageLost, StorageUpgraded } from '../storage/browser-database.ts';
export { indexedDb, type IndexedDbOptions } from '../storage/indexed-db.ts';
