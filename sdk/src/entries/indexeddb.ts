/** The entry `restante-client/indexeddb`: the storage of browsers. */
export { indexedDb, StorageUpgraded, type IndexedDbOptions } from '../storage/indexed-db.ts';
