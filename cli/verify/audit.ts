import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';
import type { Work } from '../../tools/progress/progress.mjs';
import { auditConversation, type Stores } from './conversations.ts';
import { createFindings, type Finding, type Findings, stillFound } from './findings.ts';
import { auditDeadLetters, auditDeployment, auditPartition } from './partitions.ts';
import { auditUser } from './users.ts';

/** Conversations and users that are looked at at the same time. */
const atOnce = 16;
/** Most ids of conversations outside Redis that are remembered as looked at. */
const mostRemembered = 100_000;
const keysInPage = 1000;
/** Conversations and users are found by a walk over all keys each. */
const walks = 2;
const blocksInPage = 1000;
const mostLooks = 5;

export type Totals = {
  conversations: number;
  seqs: number;
  /** Texts that are stored as they were before their newest amendment. */
  oldBodies: number;
  users: number;
  entries: number;
  /** Users who were not loaded since a loss: their state is loaded from history when it is needed. */
  notLoaded: number;
  /** Entries that a group has not settled, by group. */
  unsettled: Record<string, number>;
  deadLetters: number;
};

export type Audit = { totals: Totals; findings: Findings };

export type Scope = {
  /** Looks at one conversation or one user alone. */
  conversation?: string | undefined;
  user?: string | undefined;
  /** Reads the texts of all blocks, and not only where they lie. */
  withTexts: boolean;
};

/**
 * Looks again at what seems to be wrong: in a running deployment a message is for a moment neither here nor there. What
 * is found every time is reported.
 */
async function lasting<T extends { findings: Finding[] }>(look: () => Promise<T>): Promise<T> {
  let result = await look();
  for (let again = 1; again < mostLooks && result.findings.length > 0; again++) {
    await pause(retryPauseMs(retries.auditAgain, again));
    const now = await look();
    result = { ...now, findings: stillFound(result.findings, now.findings) };
  }
  return result;
}

/** Audits a running deployment; `progress` can be asked for numbers meanwhile. Memory does not grow with the data. */
export function startAudit(
  stores: Stores,
  { conversation, user, withTexts }: Scope,
  signal: AbortSignal,
): { done: Promise<Audit>; progress: () => Work } {
  const { redis, keys, history } = stores;
  const findings = createFindings();
  const totals: Totals = {
    conversations: 0,
    seqs: 0,
    oldBodies: 0,
    users: 0,
    entries: 0,
    notLoaded: 0,
    unsettled: {},
    deadLetters: 0,
  };
  const limit = pLimit(atOnce);
  /** Keys that the walks have passed, and all that they will pass: as Redis counts them, so roughly. */
  const keysPassed = { done: 0, total: 0 };

  async function lookAtConversation(id: string): Promise<void> {
    if (signal.aborted) return;
    const { seqs, oldBodies, findings: found } = await lasting(() => auditConversation(stores, id, withTexts));
    totals.conversations += 1;
    totals.seqs += seqs;
    totals.oldBodies += oldBodies;
    findings.add(found);
  }

  async function lookAtUser(id: string): Promise<void> {
    if (signal.aborted) return;
    const { entries, isLoaded, findings: found } = await lasting(() => auditUser(stores, id));
    totals.users += 1;
    totals.entries += entries;
    if (!isLoaded) totals.notLoaded += 1;
    findings.add(found);
  }

  async function walkRedis(pattern: string, look: (key: string) => Promise<void>): Promise<void> {
    for (let cursor = '0'; !signal.aborted;) {
      const [next, found] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', keysInPage);
      await Promise.all(found.map((key) => limit(look, key)));
      keysPassed.done += keysInPage;
      if (next === '0') return;
      cursor = next;
    }
  }

  /** Conversations that history has and Redis does not: all of them after a loss. */
  async function walkHistory(): Promise<void> {
    const looked = new Set<string>();
    for (let since = 0; !signal.aborted;) {
      const { conversations, until } = await history.changedSince(since, blocksInPage);
      const unknown: string[] = [];
      for (const id of conversations)
        if (!looked.has(id) && (await redis.exists(keys.conversation(keys.partitionOf(id), id))) === 0)
          unknown.push(id);
      await Promise.all(unknown.map((id) => limit(lookAtConversation, id)));
      if (looked.size > mostRemembered) looked.clear();
      for (const id of unknown) looked.add(id);
      if (until === null) return;
      // A page that ends in the moment in which it began holds more blocks of that moment than fit: the rest is left.
      since = until === since ? until + 1 : until;
      if (conversations.length === 0) return;
    }
  }

  async function run(): Promise<Audit> {
    if (conversation !== undefined) await lookAtConversation(conversation);
    if (user !== undefined) await lookAtUser(user);
    if (conversation !== undefined || user !== undefined) return { totals, findings };
    findings.add((await lasting(async () => ({ findings: await auditDeployment(stores) }))).findings);
    for (let partition = 0; partition < keys.partitions; partition++) {
      const { unsettled, findings: found } = await lasting(() => auditPartition(stores, partition));
      for (const [group, count] of Object.entries(unsettled))
        totals.unsettled[group] = (totals.unsettled[group] ?? 0) + count;
      findings.add(found);
    }
    const letters = await lasting(() => auditDeadLetters(stores));
    totals.deadLetters = letters.open;
    findings.add(letters.findings);
    keysPassed.total = walks * (await redis.dbsize());
    await walkRedis(keys.everyConversation, (key) => lookAtConversation(keys.idOf(key)));
    keysPassed.done = keysPassed.total / walks;
    await walkHistory();
    await walkRedis(keys.everyUser, (key) => lookAtUser(keys.userOf(key)));
    return { totals, findings };
  }

  return {
    done: run(),
    progress: () => ({
      ...keysPassed,
      text: `${totals.conversations} conversations and ${totals.users} users, ${findings.total} findings`,
    }),
  };
}
