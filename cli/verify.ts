import { parseArgs } from 'node:util';
import { openHistory } from '../shared/history/open.ts';
import { idPattern } from '../shared/model/model.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';
import { startAudit } from './verify/audit.ts';
import { jsonReport, textReport } from './verify/report.ts';
import { createStreams } from './verify/streams.ts';

const usage = `usage: npm run cli -- verify [CONVERSATION] [--user USER] [--places] [--json]

Audits a running deployment: compares Redis, its streams and inboxes with history, and says what is missing where.
Without CONVERSATION and USER it looks at everything, also at conversations that only history has. Exit code 1 when
anything is wrong.

  --user USER  looks at one user's inbox
  --places     looks at where blocks lie and not at the messages in them: faster where history is large
  --json       one line of JSON`;

function readOptions(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      user: { type: 'string' },
      places: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [conversation, ...more] = positionals;
  if (more.length > 0 || [conversation, values.user].some((id) => id !== undefined && !idPattern.test(id)))
    throw new UsageError(usage);
  return { conversation, user: values.user, withTexts: !values.places, asJson: values.json };
}

export const verify: Command = {
  summary: 'audit Redis, inboxes and history, and report what is missing',
  usage,
  async run(args, context) {
    const { asJson, ...scope } = readOptions(args);
    const access = await openOperatorAccess(context);
    const { redis, keys, config } = access;
    const history = await openHistory(config.historyUrl, { inThread: false, coldUrl: config.COLD_URL });
    try {
      const streams = createStreams(redis, keys);
      const { historyRetentionMs, purgeMs } = config;
      const audit = startAudit({ redis, keys, history, streams, historyRetentionMs, purgeMs }, scope, context.signal);
      context.doing(audit.progress);
      const result = await audit.done;
      context.signal.throwIfAborted();
      context.stdout.write(asJson ? jsonReport(result) : textReport(result));
      return result.findings.total === 0 ? 0 : 1;
    } finally {
      await history.close();
      await access.close();
    }
  },
};
