import { createHmac } from 'node:crypto';
import { wallMs } from '../../../shared/timing/clocks.ts';
import type { Channel } from './channel.ts';

/** A call has this long in all, its answer included (ms). */
const withinMs = 5000;
/** At most this much of an answer is read. */
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

/** Reads the rest of a short answer, which nobody needs, so that the connection can be used again. */
async function drop(body: ReadableStream<Uint8Array> | null): Promise<void> {
  let left = mostAnswerBytes;
  try {
    if (body !== null) for await (const chunk of body) if ((left -= chunk.byteLength) <= 0) break;
  } catch {
    // Only the status counts, and it is known.
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
 * Posts digests to the webhook of the back end. Every 2xx answer is success, whatever it holds. Every other status is a
 * failure, and redirects are never followed. The host may be a private one: the operator names it, no client does.
 * User and password in the address are sent as basic authorization.
 */
export function createWebhook(address: string, secrets: readonly string[]): Channel {
  const url = new URL(address);
  const { username, password } = url;
  url.username = url.password = '';
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const authorization = username === '' && password === '' ? {} : { authorization: `Basic ${login}` };

  return {
    async post(id, digest) {
      const body = JSON.stringify(digest);
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
            // A compressed answer could unpack to much more than it is.
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
    },
  };
}
