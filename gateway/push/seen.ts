import type { EvidenceOfProcess, SeenHead, SeenSeq } from '../../shared/recovery/evidence.ts';
import type { Registry } from '../socket/registry.ts';
import type { LargeGroupPush } from './large-groups.ts';

/** What this gateway's connections were told of Redis: evidence for an opening (evidence.ts). */

/** The heads of inboxes that sessions know. */
export function* seenHeads(registry: Pick<Registry, 'all'>): Generator<SeenHead> {
  for (const { session } of registry.all) {
    if (session !== null) yield { user: session.user, epoch: session.epoch, head: session.known };
  }
}

/** Notes a head up to which a list was made, unless a session stands for it. */
export const createListed =
  (sessionsOf: Registry['of'], ended: EvidenceOfProcess['ended']) =>
  (user: string, epoch: string, head: number): void => {
    for (const { session } of sessionsOf(user))
      if (session !== null && session.epoch === epoch && session.known >= head) return;
    ended({ user, epoch, head });
  };

/** The newest seqs of large groups, which no inbox holds. They are of the epoch of the members here. */
export function* seenSeqs(registry: Pick<Registry, 'of'>, large: Pick<LargeGroupPush, 'all'>): Generator<SeenSeq> {
  for (const { conversation, newest, seats } of large.all()) {
    const [user] = seats.keys();
    const epoch = user === undefined ? undefined : registry.of(user)[0]?.session?.epoch;
    if (epoch !== undefined && newest >= 0) yield { conversation, epoch, seq: newest };
  }
}
