import { afterEach, beforeEach, describe } from 'vitest';
import type { HistoryStore } from '../../shared/history/store.ts';
import { amendmentCases } from './history-store/amendments.cases.ts';
import { coldBlockCases } from './history-store/cold-blocks.cases.ts';
import { conversationCases } from './history-store/conversations.cases.ts';
import { deploymentCases } from './history-store/deployment.cases.ts';
import { epochCases } from './history-store/epochs.cases.ts';
import { gateRowsCases } from './history-store/gate-rows.cases.ts';
import { mergingCases } from './history-store/merging.cases.ts';
import { ownDaysCases } from './history-store/own-days.cases.ts';
import { progressCases } from './history-store/progress.cases.ts';
import { readingCases } from './history-store/reading.cases.ts';
import { retentionCases } from './history-store/retention.cases.ts';
import { rewritingCases } from './history-store/rewriting.cases.ts';
import { settingsCases } from './history-store/settings.cases.ts';
import { severalStoresCases } from './history-store/several-stores.cases.ts';
import { skipCases } from './history-store/skips.cases.ts';
import { textCases } from './history-store/texts.cases.ts';
import type { Place, StoreAtHand } from './history-store/under-test.ts';
import { writingCases } from './history-store/writing.cases.ts';

/** The contract in shared/history/store.ts, part by part. */
const parts: ((subject: StoreAtHand) => void)[] = [
  writingCases,
  textCases,
  readingCases,
  mergingCases,
  rewritingCases,
  amendmentCases,
  retentionCases,
  ownDaysCases,
  coldBlockCases,
  conversationCases,
  skipCases,
  progressCases,
  deploymentCases,
  epochCases,
  gateRowsCases,
  settingsCases,
  severalStoresCases,
];

/** Runs the whole contract over one implementation. */
export function historyStoreCases(name: string, makePlace: () => Promise<Place>): void {
  describe(`history store: ${name}`, () => {
    let place: Place;
    let opened: HistoryStore[] = [];
    let store: HistoryStore;

    const open = (): HistoryStore => {
      const another = place.open();
      opened.push(another);
      return another;
    };

    beforeEach(async () => {
      place = await makePlace();
      store = open();
    });

    afterEach(async () => {
      await Promise.all(opened.map((one) => one.close()));
      opened = [];
      await place.remove();
    });

    const subject: StoreAtHand = {
      get store() {
        return store;
      },
      get place() {
        return place;
      },
      open,
    };
    for (const part of parts) part(subject);
  });
}
