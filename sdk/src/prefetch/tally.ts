import type { PrefetchReport } from './api.ts';

/**
 * What became of the pages that were fetched, and whether it is worth going on: no longer when fewer than a fifth of
 * the last pages were opened within a day.
 */
export type Tally = {
  fetched(id: string, bytes: number): void;
  opened(id: string): void;
  readonly isWorthIt: boolean;
  report(): PrefetchReport;
};

type Page = { id: string; at: number; outcome: 'open' | 'hit' | 'wasted' };

const dayMs = 86_400_000;
const judged = { pages: 50, share: 0.2 };

export function createTally(now: () => number): Tally {
  let pages: Page[] = [];
  const counts: PrefetchReport = { asked: 0, bytes: 0, opened: 0, hits: 0, wasted: 0 };

  const settle = (): void => {
    for (const page of pages) {
      if (page.outcome !== 'open' || now() - page.at < dayMs) continue;
      page.outcome = 'wasted';
      counts.wasted++;
    }
    pages = pages.slice(-2 * judged.pages);
  };

  return {
    fetched(id, bytes) {
      settle();
      pages.push({ id, at: now(), outcome: 'open' });
      counts.asked++;
      counts.bytes += bytes;
    },
    opened(id) {
      settle();
      if (counts.asked === 0) return;
      counts.opened++;
      const page = pages.find((one) => one.id === id && one.outcome === 'open');
      if (page === undefined) return;
      page.outcome = 'hit';
      counts.hits++;
    },
    get isWorthIt() {
      settle();
      const known = pages.filter(({ outcome }) => outcome !== 'open').slice(-judged.pages);
      const hits = known.filter(({ outcome }) => outcome === 'hit').length;
      return known.length < judged.pages || hits >= judged.share * judged.pages;
    },
    report() {
      settle();
      return { ...counts };
    },
  };
}
