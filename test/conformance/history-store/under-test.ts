import type { Block, HistoryStore } from '../../../shared/history/store.ts';

/**
 * Where one test keeps its data. Every `open` gives another store on the same data. `put` makes the object of a block
 * where there is a cold store.
 */
export type Place = { open(): HistoryStore; remove(): Promise<void>; put?(block: Block): Promise<void> };

/** What a case works on. Each test has its own; all stores are closed after it. */
export type StoreAtHand = {
  readonly store: HistoryStore;
  readonly place: Place;
  /** Another store on the same data. */
  open(): HistoryStore;
};
