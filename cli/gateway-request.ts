import { signToken } from '../tools/harness/sign-token.ts';
import type { Context } from './command.ts';
import { findSecret, findUrl, httpUrl, tokenRules, UsageError, websocketUrl } from './context.ts';

const answerWithinMs = 20_000;

/**
 * Asks the gateway of this machine something of its API, with a service token of its own in the name of `by`. `path`
 * follows `/v1/`. Resolves the text of the answer; rejects with a `UsageError` if no gateway answers, or it refuses.
 */
export async function askGateway(
  { env, signal, doing }: Pick<Context, 'env' | 'signal' | 'doing'>,
  by: string,
  path: string,
  body?: object,
): Promise<string> {
  const origin = httpUrl(websocketUrl(await findUrl(env)));
  const token = signToken(await findSecret(env), { user: by, ttlSeconds: 60, service: true, ...tokenRules(env) });
  doing('asking the gateway');
  const response = await fetch(`${origin}/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
  }).catch((error: Error) => Promise.reject(new UsageError(`no gateway answers at ${origin}: ${error.message}`)));
  const text = await response.text();
  if (!response.ok) throw new UsageError(text);
  return text;
}
