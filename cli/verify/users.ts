import { covers } from '../../shared/model/spans.ts';
import { unreadOf } from '../../shared/redis/inboxes/unread.ts';
import { lossJump } from '../../shared/redis/loss.ts';
import type { Stores } from './conversations.ts';
import type { Finding, Kind } from './findings.ts';
import { type Held, type InboxContent, readInbox } from './inbox-content.ts';
import { type Membership, membershipsOf } from './memberships.ts';
import { addRange, type Ranges, rangeText, uncovered, without } from './ranges.ts';

const nothingHeld: Held = { entries: 0, seqs: [], gaps: [] };

/** Positions up to the head that hold nothing. After a loss they jump; such a hole is meant. */
const missingPositions = ({ positions, head }: InboxContent): Ranges =>
  uncovered(positions, 1, head).filter(({ fromSeq, toSeq }) => toSeq - fromSeq + 1 < lossJump - 1);

function coveredBy({ seqs, gaps }: Held): Ranges {
  const covered: Ranges = [];
  const all = [...gaps, ...seqs.map((seq) => ({ fromSeq: seq, toSeq: seq }))];
  for (const { fromSeq, toSeq } of all.toSorted((one, other) => one.fromSeq - other.fromSeq))
    addRange(covered, fromSeq, toSeq);
  return covered;
}

/** Of the seqs up to `last` those that the member sees and the inbox neither holds nor announces. */
function missingSeqs({ spans, skips }: Membership, held: Held, last: number): Ranges {
  const covered = coveredBy(held);
  return spans.flatMap(({ joined, left }) =>
    without(uncovered(covered, joined + 1, Math.min(left ?? last, last)), skips),
  );
}

/** The last seq that must have come to the inbox once the fanout is done; 0 if there is none. */
function lastDue({ spans, skips, lastForInboxes }: Membership): number {
  const last = lastForInboxes ?? 0;
  const seen: Ranges = [];
  for (const { joined, left } of spans) addRange(seen, joined + 1, Math.min(left ?? last, last));
  return without(seen, skips).at(-1)?.toSeq ?? 0;
}

/**
 * One user: positions are dense, and what its memberships show stands in the inbox or in a gap. What is on its way
 * from the stream to the inbox may seem to be missing, so the caller looks again.
 */
export async function auditUser(
  stores: Stores,
  user: string,
): Promise<{ entries: number; isLoaded: boolean; findings: Finding[] }> {
  const { redis, keys, streams } = stores;
  const findings: Finding[] = [];
  const found = (kind: Kind, what: string): void => void findings.push({ kind, where: `user ${user}`, what });
  const [line, loads] = await redis.hmget(keys.shardSlot(keys.shardOf(user)), 'line', 'loads');
  const inbox = await readInbox(redis, keys, user);
  // Whatever is of an earlier line, or was not loaded since a loss, comes from history when somebody needs it.
  const isLoaded = inbox.line === line && (!loads || inbox.loadedFor === loads);

  for (const range of missingPositions(inbox)) found('missing_positions', `positions ${rangeText(range)}`);
  if (inbox.stoodStill && inbox.highest > inbox.head)
    found('head_behind', `head ${inbox.head}, position ${inbox.highest} is given`);
  for (const { device, position } of inbox.devices)
    if (inbox.stoodStill && position > inbox.head)
      found('device_ahead', `device ${device} at ${position}, head ${inbox.head}`);
  for (const what of inbox.disorder) found('inbox_order', what);
  if (inbox.stoodStill) for (const what of inbox.overlays) found('wrong_overlay', what);
  if (inbox.stoodStill && inbox.count !== inbox.entries)
    found('wrong_count', `${inbox.count} counted, ${inbox.entries} entries`);

  const memberships = await membershipsOf(stores, user, new Set([...inbox.states.keys(), ...inbox.held.keys()]));
  for (const [id, membership] of memberships) {
    const held = inbox.held.get(id) ?? nothingHeld;
    const state = inbox.states.get(id);
    for (const seq of held.seqs)
      if (!membership.spans.some((span) => covers(span, seq))) found('foreign_entry', `seq ${seq} of ${id}`);
    if (inbox.stoodStill && state !== undefined && state.held !== null && state.held !== held.entries)
      found('wrong_count', `${state.held} counted of ${id}, ${held.entries} entries`);
    if (state !== undefined && (unreadOf(state) < 0 || (membership.seq !== null && state.readSeq > membership.seq)))
      found('wrong_unread', `read seq ${state.readSeq} of ${id}, which ends at ${membership.seq}`);
    if (!isLoaded) continue;
    const last = state?.lastSeq ?? 0;
    for (const range of missingSeqs(membership, held, last))
      found('missing_in_inbox', `seqs ${rangeText(range)} of ${id}`);
    const due = lastDue(membership);
    if (due > last && !(await streams(keys.partitionOf(id))).undelivered.has(id))
      found('inbox_behind', `seq ${last} of ${id} is the last one, ${due} was settled`);
  }
  return { entries: inbox.entries, isLoaded, findings };
}
