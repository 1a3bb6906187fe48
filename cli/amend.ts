import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { askGateway } from './gateway-request.ts';

const usage = `usage: npm run cli -- amend CONVERSATION SEQ --recall [--by NAME] [--json]
       npm run cli -- amend CONVERSATION SEQ --body JSON [--by NAME] [--json]

Recalls or edits a message through a gateway, with a service token of its own: whoever sent it, however old it is.

  --recall     takes the message back
  --body JSON  puts another body in its place
  --by NAME    in whose name (default operator)
  --json       the answer as JSON`;

type Answer = {
  action: 'recall' | 'edit';
  by: string;
  at: number;
  version: number;
  amendSeq: number;
  duplicate?: true;
};

function parsedBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--body is not JSON: ${text}`);
  }
}

export const amend: Command = {
  summary: 'recall or edit a message',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        recall: { type: 'boolean', default: false },
        body: { type: 'string' },
        by: { type: 'string', default: 'operator' },
        json: { type: 'boolean', default: false },
      },
    });
    const [conversation, seq, ...rest] = positionals;
    if (conversation === undefined || seq === undefined || rest.length > 0) throw new UsageError(usage);
    if (values.recall === (values.body !== undefined)) throw new UsageError('give either --recall or --body');
    const place = `conversations/${encodeURIComponent(conversation)}/messages/${encodeURIComponent(seq)}`;
    const amendment =
      values.body === undefined ? { action: 'recall' } : { action: 'edit', body: parsedBody(values.body) };
    const text = await askGateway(context, values.by, `${place}/amend`, amendment);
    const { action, by, at, version, amendSeq, duplicate } = JSON.parse(text) as Answer;
    if (values.json) stdout.write(`${text}\n`);
    else {
      const what = `${action === 'recall' ? 'recalled' : 'edited'} by ${by} at ${new Date(at).toISOString()}`;
      const before = duplicate ? 'it is in force already: ' : '';
      stdout.write(`${before}${conversation} ${seq} ${what}, version ${version}, as message ${amendSeq}\n`);
    }
    return 0;
  },
};
