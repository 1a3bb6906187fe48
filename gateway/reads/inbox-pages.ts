import type { Page } from '../../shared/model/results.ts';
import type { LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';

/**
 * Pages of an inbox as they are asked for. Where a page comes to the end of the inbox, what the user's large groups
 * have brought since is announced there first, as gaps that take their positions now.
 */
export const createInboxPages =
  (inboxes: Pick<Inboxes, 'page'>, groups: Pick<LargeGroups, 'catchUp'>): Inboxes['page'] =>
  async (user, after, limit, asks): Promise<Page> => {
    const page = await inboxes.page(user, after, limit, asks);
    if (page.more || page.larges.length === 0) return page;
    const { headBefore, head } = await groups.catchUp(user, page.larges);
    return head === headBefore ? page : inboxes.page(user, after, limit, asks);
  };

export type InboxPages = ReturnType<typeof createInboxPages>;
