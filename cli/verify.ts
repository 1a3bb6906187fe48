import pLimit from 'p-limit';
import { openHistory } from '../shared/history/open.ts';
import type { HistoryStore } from '../shared/history/store.ts';
import { idPattern } from '../shared/model/model.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- verify [CONVERSATION]

Compares Redis and history. Every seq that was assigned and settled must be in a block of history, recorded as skipped,
or removed by retention. Without CONVERSATION it compares all that Redis knows. Exit code 1 when anything is missing.`;

const atOnce = 8;
const rangesInPage = 1000;

type Missing = { fromSeq: number; toSeq: number };

/** Ranges of seqs up to `toSeq` that neither a block nor a skip holds. */
export async function missingOf(history: HistoryStore, conversation: string, toSeq: number): Promise<Missing[]> {
  const skips = (await history.conversation(conversation))?.skips ?? [];
  const covered = skips.map(({ fromSeq, toSeq: end }): [number, number] => [fromSeq, end]);
  for (let after = 1; ;) {
    const page = await history.ranges(conversation, after, rangesInPage);
    covered.push(...page.map(({ firstSeq, lastSeq }): [number, number] => [firstSeq, lastSeq]));
    if (page.length < rangesInPage) break;
    after = page.at(-1)!.firstSeq + 1;
  }
  covered.sort(([one], [other]) => one - other);
  const missing: Missing[] = [];
  let next = await history.keptFrom(conversation);
  for (const [from, to] of [...covered, [toSeq + 1, toSeq + 1] as const]) {
    if (from > next && next <= toSeq) missing.push({ fromSeq: next, toSeq: Math.min(from - 1, toSeq) });
    next = Math.max(next, to + 1);
  }
  return missing;
}

export const verify: Command = {
  summary: 'compare Redis with history and report missing messages',
  usage,
  async run([wanted], context) {
    const { stdout, signal, doing } = context;
    if (wanted !== undefined && !idPattern.test(wanted)) throw new UsageError(usage);
    const access = await openOperatorAccess(context);
    const { redis, keys, config } = access;
    const history = openHistory(config.historyUrl, { inThread: false, coldUrl: config.COLD_URL });
    const limit = pLimit(atOnce);
    let [looked, seqs, faults] = [0, 0, 0];
    doing(() => `compared ${looked} conversations so far`);

    /** Messages that are not settled may be missing, so this is the last seq before the oldest unsettled one. */
    async function settledSeq(id: string, partition: number): Promise<number> {
      const lastSeq = Number((await redis.hget(keys.conversation(partition, id), 'seq')) ?? 0);
      const [pending, groups] = await Promise.all([
        redis.xpending(keys.messages(partition), 'history'),
        redis.xinfo('GROUPS', keys.messages(partition)),
      ]);
      const group = (groups as (string | number)[][]).find((fields) => fields.includes('history'));
      const delivered = String(group?.[group.indexOf('last-delivered-id') + 1] ?? '0-0');
      const from = (pending as [number, string | null])[1] ?? `(${delivered}`;
      let settled = lastSeq;
      for (const [, fields] of await redis.xrange(keys.messages(partition), from, '+')) {
        const words = fields[1]!.split(' ');
        if (words[2] === id && words[1] === 'message') settled = Math.min(settled, Number(words[3]) - 1);
      }
      return settled;
    }

    async function look(id: string): Promise<void> {
      const toSeq = await settledSeq(id, keys.partitionOf(id));
      looked += 1;
      seqs += toSeq;
      for (const { fromSeq, toSeq: end } of await missingOf(history, id, toSeq)) {
        faults += 1;
        stdout.write(`MISSING  ${id}  seqs ${fromSeq}-${end} are not in history\n`);
      }
    }

    try {
      if (wanted !== undefined) await look(wanted);
      else {
        for (let cursor = '0'; ;) {
          const [next, found] = await redis.scan(cursor, 'MATCH', keys.everyConversation, 'COUNT', 1000);
          await Promise.all(found.map((key) => limit(look, keys.idOf(key))));
          if (next === '0' || signal.aborted) break;
          cursor = next;
        }
      }
      const verdict = faults === 0 ? 'nothing is missing' : `${faults} ranges are MISSING`;
      stdout.write(`${looked} conversations, ${seqs} seqs: ${verdict}\n`);
      return faults === 0 ? 0 : 1;
    } finally {
      await history.close();
      await access.close();
    }
  },
};
