import type { HistoryPage } from '../../../sdk/src/wire.ts';
import type { Page } from '../http.ts';
import type { HistoryWalk } from './check-history.ts';

/** Reads the whole history in one direction. `read` fetches a page for one reader, by HTTP or by socket. */
export async function walkHistory(
  user: string,
  order: 'oldest' | 'newest',
  read: (page: Page) => Promise<HistoryPage>,
  limit = 100,
): Promise<HistoryWalk> {
  const walk: HistoryWalk = { user, order, pages: [] };
  for (let bound: number | null = order === 'oldest' ? 0 : null; ;) {
    const asked: Page =
      bound === null ? { limit } : order === 'oldest' ? { after: bound, limit } : { before: bound, limit };
    const page = await read(asked);
    walk.pages.push({ bound, page });
    const last = page.messages.at(-1)?.seq;
    // A page that announces more but shows nothing leads nowhere: the check reports the missing messages.
    if (!page.more || last === undefined) return walk;
    bound = last;
  }
}
