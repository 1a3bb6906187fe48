import type { ConversationRow } from '../storage/storage.ts';
import { infoOf } from '../view/info.ts';
import { createStore, type Store } from '../view/store.ts';
import type { ConversationInfo } from './api.ts';

/** The conversations that are known here, as they are stored. */
export type List = {
  readonly store: Store<readonly ConversationInfo[]>;
  get(id: string): ConversationRow | undefined;
  all(): ConversationRow[];
  /** Rows as an earlier run left them: what has come since stays. */
  load(rows: ConversationRow[]): void;
  set(rows: ConversationRow[]): void;
};

/** The most conversations in the list. */
export const listedMost = 1000;

export function createList(fault: (error: Error, where: string) => void): List {
  const rows = new Map<string, ConversationRow>();
  const newestFirst = (): ConversationRow[] => [...rows.values()].toSorted((one, other) => other.at - one.at);
  const store = createStore<readonly ConversationInfo[]>(() => newestFirst().map(infoOf), fault);
  return {
    store,
    get: (id) => rows.get(id),
    all: () => [...rows.values()],
    load(stored) {
      for (const row of stored) if (!rows.has(row.id)) rows.set(row.id, row);
      store.invalidate();
    },
    set(changed) {
      for (const row of changed) rows.set(row.id, row);
      if (changed.length > 0) store.invalidate();
    },
  };
}
