import { createHmac } from 'node:crypto';
import { wallMs } from '../../../shared/timing/clocks.ts';

/** A call may take so long in all, and so much of its answer is read. */
const withinMs = 5000;
const mostAnswerBytes = 65_536;

/** The signatures of a Standard Webhooks message, one for each secret (`whsec_` and base64). */
export function signatures(secrets: readonly string[], id: string, timestamp: number, body: string): string {
  const signed = `${id}.${timestamp}.${body}`;
  return secrets
    .map(
      (secret) =>
        `v1,${createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
          .update(signed)
          .digest('base64')}`,
    )
    .join(' ');
}

/** What is left of an answer is of no use; reading some of it lets the connection be used again. */
async function drop(body: ReadableStream<Uint8Array> | null): Promise<void> {
  let left = mostAnswerBytes;
  try {
    if (body !== null) for await (const chunk of body) if ((left -= chunk.byteLength) <= 0) break;
  } catch {
    // The status said what counts.
  }
}

function explained(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.name === 'TimeoutError') return `no answer within ${withinMs} ms`;
  return thrown.cause instanceof Error && thrown.cause.message !== ''
    ? `${thrown.message}: ${thrown.cause.message}`
    : thrown.message;
}

/**
 * Calls the webhook by POST. Resolves once it answered 2xx, whatever its answer holds; rejects for every other status:
 * a redirect is never followed. The host may be a private one: the operator names it, no client does. User and password
 * in the address are sent as basic authorization.
 */
export function createWebhook(address: string, secrets: readonly string[]) {
  const url = new URL(address);
  const { username, password } = url;
  url.username = url.password = '';
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const authorization = username === '' && password === '' ? {} : { authorization: `Basic ${login}` };

  return async function post(id: string, body: string): Promise<void> {
    const timestamp = Math.floor(wallMs() / 1000);
    const signature = signatures(secrets, id, timestamp, body);
    let response: Response;
    try {
      response = await fetch(url, {
        method: 'POST',
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(withinMs),
        headers: {
          ...authorization,
          'content-type': 'application/json',
          // Nothing that could be unpacked to more than it is.
          'accept-encoding': 'identity',
          'user-agent': 'restante',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          ...(signature === '' ? {} : { 'webhook-signature': signature }),
        },
      });
    } catch (thrown) {
      throw new Error(explained(thrown), { cause: thrown });
    }
    await drop(response.body);
    if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
  };
}

export type Post = ReturnType<typeof createWebhook>;
