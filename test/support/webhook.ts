import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';

/** One received request. `user` is the user of the digest. */
export type Call = { path: string; user: string; id: string; headers: IncomingHttpHeaders; body: string };

export type Receiver = {
  url: string;
  /** The requests about a user so far. */
  callsFor(user: string): Call[];
  /** Resolves with the requests once there are `count` of them. */
  called(user: string, count: number, withinMs?: number): Promise<Call[]>;
  readonly paths: string[];
  stop(): Promise<void>;
};

/**
 * A real HTTP server; `answer` has the last word on each request. `nth` counts the requests about the same user from 1.
 */
export async function startReceiver(
  answer: (call: Call, response: ServerResponse, nth: number) => void,
): Promise<Receiver> {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const user = body === '' ? '' : (JSON.parse(body) as { user: string }).user;
      const call = {
        path: request.url!,
        user,
        id: String(request.headers['webhook-id']),
        headers: request.headers,
        body,
      };
      calls.push(call);
      answer(call, response, calls.filter((one) => one.user === user).length);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const callsFor = (user: string): Call[] => calls.filter((one) => one.user === user);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    callsFor,
    called: (user, count, withinMs = 15_000) =>
      vi.waitFor(
        () => {
          const found = callsFor(user);
          if (found.length < count) throw new Error(`${found.length} of ${count} calls about ${user}`);
          return found;
        },
        { timeout: withinMs, interval: 20 },
      ),
    get paths() {
      return calls.map(({ path }) => path);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
