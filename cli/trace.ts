import { parseArgs } from 'node:util';
import { traceLines } from '../shared/message-trace/trace.ts';
import { Refusal } from '../shared/model/errors.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- trace MESSAGE_ID [--conversation ID] [--json]

Shows where a message is: accepted, fanned out, in which inboxes, received by which devices, archived, or failed and
why.

  --conversation ID  its conversation; needed when its stream entry was trimmed and many others are as old
  --json             as JSON`;

export const trace: Command = {
  summary: 'where a message is, step by step',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { conversation: { type: 'string' }, json: { type: 'boolean', default: false } },
    });
    const [id] = positionals;
    if (id === undefined || positionals.length > 1) throw new UsageError(usage);
    const access = await openOperatorAccess(context);
    try {
      const found = await access.trace(id, values.conversation);
      stdout.write(values.json ? `${JSON.stringify(found)}\n` : `${traceLines(found).join('\n')}\n`);
      return 0;
    } catch (thrown) {
      throw thrown instanceof Refusal ? new UsageError(thrown.message) : thrown;
    } finally {
      await access.close();
    }
  },
};
