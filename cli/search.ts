import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { askGateway } from './gateway-request.ts';

const usage = `usage: npm run cli -- search "WORDS" [--user ID] [--conversation ID] [--limit N] [--json]

Searches messages through a gateway, with a service token of its own.

  --user ID          as this user sees it; without it everything is searched
  --conversation ID  only in this conversation
  --limit N          at most this many, 1 to 50 (default 20)
  --json             the answer as JSON`;

type Found = { conversation: string; seq: number; at: number; sender: string; body: unknown };
type Answer = { messages: Found[]; more: boolean; indexing?: true };

function lineOf({ at, conversation, seq, sender, body }: Found): string {
  const text = typeof body === 'object' && body !== null && 'text' in body ? body.text : body;
  const shown = typeof text === 'string' ? text.replaceAll(/\s+/g, ' ') : JSON.stringify(text);
  return `${new Date(at).toISOString()}  ${conversation} ${seq}  ${sender}: ${shown}`;
}

export const search: Command = {
  summary: 'messages by their words',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        user: { type: 'string' },
        conversation: { type: 'string' },
        limit: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const [q] = positionals;
    if (q === undefined || positionals.length > 1) throw new UsageError(usage);
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ q, ...values, json: undefined }))
      if (typeof value === 'string') query.set(name, value);
    const text = await askGateway(context, 'operator', `search?${query}`);
    if (values.json) stdout.write(`${text}\n`);
    else {
      const { messages, more, indexing } = JSON.parse(text) as Answer;
      for (const message of messages) stdout.write(`${lineOf(message)}\n`);
      stdout.write(`${messages.length} found${more ? ', and there may be more' : ''}\n`);
      if (indexing) stdout.write('the index is behind or being made again: messages may be missing\n');
    }
    return 0;
  },
};
