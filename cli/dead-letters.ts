import { parseArgs } from 'node:util';
import { type DeadLetter, type DeadLetterReason, deadLetterReasons } from '../shared/model/dead-letter.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- dead-letters [--reason REASON] [--limit N] [--after ID] [--content]

Lists dead letters, newest first, and counts them by reason: failed processing, deliveries and notifications.

  --reason REASON  only these: ${deadLetterReasons.join(', ')}
  --limit N        at most N of them, 1 to 1000 (default 20)
  --after ID       continue after this letter
  --content        also shows what a replay needs, a message's body among it, also of one that was recalled since`;

export function readReason(text: string | undefined): DeadLetterReason | undefined {
  const found = deadLetterReasons.find((reason) => reason === text);
  if (text !== undefined && found === undefined)
    throw new UsageError(`no such reason: ${text} (there are ${deadLetterReasons.join(', ')})`);
  return found;
}

export function lineOf({ id, reason, at, attempts, error, subject }: DeadLetter): string {
  const about = Object.entries(subject)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return `${new Date(at).toISOString()}  ${id}  ${reason}  attempts=${attempts}  ${about}  ${error}`;
}

export const deadLetters: Command = {
  summary: 'list dead letters and their reasons',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const { values } = parseArgs({
      args,
      options: {
        reason: { type: 'string' },
        limit: { type: 'string', default: '20' },
        after: { type: 'string' },
        content: { type: 'boolean', default: false },
      },
    });
    const reason = readReason(values.reason);
    const limit = Number(values.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new UsageError(`--limit must be 1 to 1000, not ${values.limit}`);
    const access = await openOperatorAccess(context);
    try {
      const {
        deadLetters: letters,
        counts,
        next,
      } = await access.deadLetters.list({
        limit,
        ...(reason === undefined ? {} : { reason }),
        ...(values.after === undefined ? {} : { after: values.after }),
      });
      for (const letter of letters) {
        stdout.write(`${lineOf(letter)}\n`);
        if (values.content && letter.content !== undefined) stdout.write(`  ${letter.content}\n`);
      }
      const open = Object.entries(counts).filter(([, count]) => count > 0);
      stdout.write(
        open.length === 0
          ? 'There are no dead letters.\n'
          : `${open.map(([name, count]) => `${name} ${count}`).join(' · ')}\n`,
      );
      if (next !== undefined) stdout.write(`more: --after ${next}\n`);
      return 0;
    } finally {
      await access.close();
    }
  },
};
