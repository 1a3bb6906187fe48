import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { signToken } from '../tools/harness/sign-token.ts';
import type { Server } from './cluster.ts';
import { median } from './median.ts';
import { cpuBetween, readCpu } from './proc.ts';

/** Reads pages by HTTP, and counts the CPU time of the gateway and of Redis for each. */

const sliceMs = 500;
const atOnce = 2;

/** Asks one server in the name of one user, over connections that stay open. */
export function createClient({ port, authSecret }: Server, user: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const authorization = `Bearer ${signToken(authSecret, { user, ttlSeconds: 3600 })}`;
  return {
    ask: (method: string, path: string, body?: object): Promise<string> =>
      new Promise((resolve, reject) => {
        const headers = { authorization, 'content-type': 'application/json' };
        const asked = request({ port, host: '127.0.0.1', path: `/v1${path}`, method, agent, headers }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if (answer.statusCode === 200 || answer.statusCode === 201) resolve(text);
            else reject(new Error(`${method} ${path} was answered with ${answer.statusCode}: ${text.slice(0, 200)}`));
          });
        });
        asked.on('error', reject);
        asked.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}

export type Client = ReturnType<typeof createClient>;
/** Asks one server for one path again and again. */
export type Reader = { client: Client; server: Server; path: string };
/** Reads pages for a slice of time. Resolves how many. */
export async function readFor({ client, path }: Reader, ms: number): Promise<number> {
  const until = performance.now() + ms;
  let pages = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < until) {
        await client.ask('GET', path);
        pages += 1;
      }
    }),
  );
  return pages;
}

/** CPU microseconds of a page for each reader in one round. */
async function runRound(readers: readonly Reader[], seconds: number): Promise<number[]> {
  const used = readers.map(() => ({ pages: 0, cpu: 0 }));
  for (let slice = 0; slice < (seconds * 1000) / sliceMs; slice++) {
    for (const [i, reader] of readers.entries()) {
      const { gateway = 0, redis = 0 } = reader.server.processes;
      const before = readCpu({ gateway, redis });
      used[i]!.pages += await readFor(reader, sliceMs);
      const { byName } = cpuBetween(before, readCpu({ gateway, redis }));
      used[i]!.cpu += byName['gateway']! + byName['redis']!;
    }
  }
  return used.map(({ pages, cpu }) => (cpu / pages) * 1_000_000);
}

export type Filling = { messages: number; amended: number; length: number };

/** Sends messages of a length to a user, and edits the first `amended` after them. Resolves the conversation. */
export async function fillConversation(writer: Client, to: string, filling: Filling): Promise<string> {
  const { messages, amended, length } = filling;
  let conversation = '';
  for (let i = 1; i <= messages; i++) conversation = await sendText(writer, to, { text: 'x'.repeat(length) });
  for (let seq = 1; seq <= amended; seq++) {
    const edit = { action: 'edit', body: { text: 'y'.repeat(length) } };
    await writer.ask('POST', `/conversations/${conversation}/messages/${seq}/amend`, edit);
  }
  return conversation;
}

/**
 * Resolves once history has all that was sent to a user, by one more message. For some seconds after it the archive
 * writes smaller blocks, so conversations that are compared are filled before one of them is waited for.
 */
export const untilStored = (writer: Client, to: string): Promise<string> =>
  sendText(writer, to, { text: 'the last one' }, { level: 'stored' });

async function sendText(writer: Client, to: string, body: object, more: object = {}): Promise<string> {
  const sent = await writer.ask('POST', '/messages', { to, clientId: randomUUID(), kind: 'text', body, ...more });
  return (JSON.parse(sent) as { message: { conversation: string } }).message.conversation;
}

/**
 * Reads the pages of all readers in turn, in rounds that are printed. Returns how many pages of one reader take the CPU
 * time that a page of another takes: the median of the rounds.
 */
export async function compareReaders(
  readers: ReadonlyMap<string, Reader>,
  { seconds, repeat }: { seconds: number; repeat: number },
): Promise<(of: string, to: string) => number> {
  const names = [...readers.keys()];
  const rounds: number[][] = [];
  for (let round = 1; round <= repeat; round++) {
    const costs = await runRound([...readers.values()], seconds);
    rounds.push(costs);
    console.log(`round ${round}: ${names.map((name, i) => `${name} ${costs[i]!.toFixed(0)} µs`).join('  ')}`);
  }
  return (of, to) =>
    Number(median(rounds.map((costs) => costs[names.indexOf(to)]! / costs[names.indexOf(of)]!)).toFixed(3));
}
