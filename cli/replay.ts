import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { requestReplay } from '../shared/jobs/replay-requests.ts';
import type { DeadLetter } from '../shared/model/dead-letter.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { lineOf, readReason } from './dead-letters.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- replay (ID [ID ...] | --reason REASON) [--dry-run] [--rate N]

Asks the jobs process to replay dead letters. Replaying a letter twice has the same effect as once.

  --reason REASON  all open letters of this reason
  --dry-run        only list the letters
  --rate N         at most N a second (default 50)`;

type OperatorAccess = Awaited<ReturnType<typeof openOperatorAccess>>;

/** The named letters, or all open letters of a reason, in the order of the lists. */
async function* chosen(
  access: OperatorAccess,
  ids: string[],
  reasonText: string | undefined,
): AsyncGenerator<DeadLetter> {
  const reason = readReason(reasonText);
  if (reason === undefined) {
    for (const id of ids) {
      const letter = await access.deadLetters.find(id);
      if (letter === null) throw new UsageError(`there is no dead letter ${id}`);
      yield letter;
    }
    return;
  }
  // Collect all ids first: replayed letters leave the list that is being read.
  const found: DeadLetter[] = [];
  for (let after: string | undefined; ;) {
    const page = await access.deadLetters.list({ reason, limit: 500, ...(after === undefined ? {} : { after }) });
    found.push(...page.deadLetters);
    if (page.next === undefined) break;
    after = page.next;
  }
  yield* found;
}

export const replay: Command = {
  summary: 'replay dead letters, each with one effect',
  usage,
  async run(args, context) {
    const { stdout, signal, doing } = context;
    const { values, positionals } = parseArgs({
      args,
      options: { reason: { type: 'string' }, 'dry-run': { type: 'boolean' }, rate: { type: 'string', default: '50' } },
      allowPositionals: true,
    });
    const rate = Number(values.rate);
    if (!(rate > 0 && rate <= 10_000))
      throw new UsageError(`--rate must be above 0 and at most 10000, not ${values.rate}`);
    if ((positionals.length === 0) === (values.reason === undefined))
      throw new UsageError(`Name either dead letters or a reason.\n\n${usage}`);
    const access = await openOperatorAccess(context);
    const counts = { requested: 0, done: 0, unknown: 0 };
    try {
      doing(() => `requested ${counts.requested} so far`);
      for await (const letter of chosen(access, positionals, values.reason)) {
        if (signal.aborted) break;
        if (values['dry-run'] === true) {
          stdout.write(`${lineOf(letter)}\n`);
          continue;
        }
        counts[await requestReplay(access.queue, access.deadLetters, letter.id)] += 1;
        await pause(1000 / rate, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      await access.close();
    }
    if (values['dry-run'] !== true) stdout.write(`${counts.requested} requested, ${counts.done} replayed before\n`);
    return 0;
  },
};
