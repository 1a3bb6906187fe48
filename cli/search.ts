import { parseArgs } from 'node:util';
import { signToken } from '../tools/harness/sign-token.ts';
import type { Command } from './command.ts';
import { findSecret, findUrl, httpUrl, tokenRules, UsageError, websocketUrl } from './context.ts';

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
  async run(args, { env, stdout, signal, doing }) {
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
    const url = new URL(`${httpUrl(websocketUrl(await findUrl(env)))}/v1/search`);
    for (const [name, value] of Object.entries({ q, ...values, json: undefined }))
      if (typeof value === 'string') url.searchParams.set(name, value);
    const secret = await findSecret(env);
    const token = signToken(secret, { user: 'operator', ttlSeconds: 60, service: true, ...tokenRules(env) });
    doing('asking the gateway');
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(20_000)]),
    }).catch((error: Error) => Promise.reject(new UsageError(`no gateway answers at ${url.origin}: ${error.message}`)));
    const text = await response.text();
    if (!response.ok) throw new UsageError(text);
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
