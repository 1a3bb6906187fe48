// A receiver of notifications: node examples/notify-receiver.mjs
//
//   NOTIFY_SECRET=whsec_…  the same as the server's (several: comma-separated)      PORT=9000
//
// It verifies the signature (https://www.standardwebhooks.com), drops duplicates, and prints the rest. A real back end
// would send a push message or an e-mail instead.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const toleratedSeconds = 300;
const mostBytes = 4 * 1024 * 1024;

/**
 * Whether a body was sent just now, by a sender that knows one of the secrets. `body` must be exactly the received
 * bytes: verify first, parse then.
 * @param {Record<string, string | string[] | undefined>} headers
 * @param {string | Uint8Array} body
 * @param {string[]} secrets
 */
export function verify(headers, body, secrets, nowMs = Date.now()) {
  const id = String(headers['webhook-id'] ?? '');
  const timestamp = String(headers['webhook-timestamp'] ?? '');
  const given = String(headers['webhook-signature'] ?? '')
    .split(' ')
    .filter((one) => one.startsWith('v1,'));
  if (id === '' || !/^\d{1,12}$/.test(timestamp) || Math.abs(nowMs / 1000 - Number(timestamp)) > toleratedSeconds)
    return false;
  return secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
    return given.some((one) => {
      const signature = Buffer.from(one.slice('v1,'.length), 'base64');
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    });
  });
}

/**
 * Calls `take` once for every digest. It answers 204 only after `take` is done: a failed digest comes again, under the
 * same webhook-id.
 * @param {string[]} secrets
 * @param {(digest: object) => unknown} take
 */
export function createReceiver(secrets, take) {
  const seen = new Set();
  async function handle(request, response) {
    const answer = (status) =>
      response.writeHead(status, { connection: status === 204 ? 'keep-alive' : 'close' }).end();
    try {
      const chunks = [];
      let bytes = 0;
      for await (const chunk of request) {
        if ((bytes += chunk.length) > mostBytes) return answer(413);
        chunks.push(chunk);
      }
      const body = Buffer.concat(chunks);
      if (request.method !== 'POST') return answer(405);
      if (!verify(request.headers, body, secrets)) return answer(401);
      const id = request.headers['webhook-id'];
      if (!seen.has(id)) {
        await take(JSON.parse(body.toString()));
        seen.add(id);
        if (seen.size > 10_000) seen.delete(seen.values().next().value);
      }
      return answer(204);
    } catch {
      return answer(500);
    }
  }
  return createServer((request, response) => void handle(request, response));
}

if (import.meta.main) {
  const secrets = (process.env.NOTIFY_SECRET ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  if (secrets.length === 0) throw new Error('set NOTIFY_SECRET to the secret of the server');
  const port = Number(process.env.PORT ?? 9000);
  createReceiver(secrets, ({ user, total, conversations }) => {
    console.log(`${user}: ${total} unread in ${conversations.length} conversations`);
  }).listen(port, '127.0.0.1', () => console.log(`waiting on http://127.0.0.1:${port}`));
}
