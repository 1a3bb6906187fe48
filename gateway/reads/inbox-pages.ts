import type { Page } from '../../shared/model/results.ts';
import type { EvidenceOfProcess } from '../../shared/recovery/evidence.ts';
import type { LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';

/**
 * Pages of an inbox for clients. If a page reaches the end of the inbox, new messages of the user's large groups are
 * first announced there as gaps, which take their positions now.
 */
export const createInboxPages =
  (
    inboxes: Pick<Inboxes, 'page'>,
    groups: Pick<LargeGroups, 'catchUp'>,
    evidence: Pick<EvidenceOfProcess, 'ended'>,
  ): Inboxes['page'] =>
  async (user, after, limit, asks): Promise<Page> => {
    const page = await inboxes.page(user, after, limit, asks);
    evidence.ended({ user, epoch: page.epoch, head: page.head });
    if (page.more || page.larges.length === 0) return page;
    const { headBefore, head } = await groups.catchUp(user, page.larges);
    return head === headBefore ? page : inboxes.page(user, after, limit, asks);
  };

export type InboxPages = ReturnType<typeof createInboxPages>;
