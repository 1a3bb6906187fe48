/** The types of what the tests load into a browser: the storage there has types of its own that Node does not know. */
import type { Storage } from '../../sdk/src/storage/storage.ts';

export type { createClient } from '../../sdk/src/client/client.ts';
export type { sharedTabs } from '../../sdk/src/tabs/shared-tabs.ts';
export type IndexedDb = (options?: { name?: string }) => Storage;
