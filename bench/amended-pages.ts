/**
 * `node bench/amended-pages.ts`: what amendments cost the pages of inboxes. Three users have 200 entries on their first
 * page: one without amendments, one with 64 edited messages, and one whose 200 messages were all edited. Their pages
 * are read in turn, in short slices. A page's cost is the CPU time of the gateway and of Redis, so other work of the
 * machine does not count.
 *
 *   --before DIR   another checkout of this repository, to compare the pages without amendments with
 *   --seconds N    per user and round (4)
 *   --repeat N     rounds (5); the medians of their ratios are reported
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { signToken } from '../tools/harness/sign-token.ts';
import type { Server, ServerOptions } from './cluster.ts';
import { machine } from './machine.ts';
import { median } from './median.ts';
import { cpuBetween, readCpu } from './proc.ts';

const pageItems = 200;
const sliceMs = 500;
const atOnce = 2;

/** Asks one server in the name of one user, over connections that stay open. */
function createClient({ port, authSecret }: Server, user: string) {
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

type Client = ReturnType<typeof createClient>;
type Reader = { client: Client; server: Server };
const firstPage = `/inbox?after=0&limit=${pageItems}`;

type Filling = { messages: number; amended: number; length: number };

/** Fills the inbox of `user` with messages of a length, of which the first `amended` are edited after them. */
async function fill(writer: Client, reader: Client, user: string, filling: Filling): Promise<void> {
  const { messages, amended, length } = filling;
  const body = { text: 'x'.repeat(length) };
  let conversation = '';
  for (let i = 0; i < messages; i++) {
    const send = { to: user, clientId: randomUUID(), kind: 'text', body };
    const { message } = JSON.parse(await writer.ask('POST', '/messages', send)) as {
      message: { conversation: string };
    };
    conversation = message.conversation;
  }
  for (let seq = 1; seq <= amended; seq++) {
    const edit = { action: 'edit', body: { text: 'y'.repeat(length) } };
    await writer.ask('POST', `/conversations/${conversation}/messages/${seq}/amend`, edit);
  }
  for (let head = 0; head < messages + amended;) {
    const last = await reader.ask('GET', `/inbox?after=${head}&limit=${pageItems}`);
    head = (JSON.parse(last) as { next: number }).next;
  }
}

/** Reads pages for a slice of time. Resolves how many. */
async function readFor(reader: Client, ms: number): Promise<number> {
  const until = performance.now() + ms;
  let pages = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < until) {
        await reader.ask('GET', firstPage);
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
    for (const [i, { client, server }] of readers.entries()) {
      const { gateway = 0, redis = 0 } = server.processes;
      const before = readCpu({ gateway, redis });
      used[i]!.pages += await readFor(client, sliceMs);
      const { byName } = cpuBetween(before, readCpu({ gateway, redis }));
      used[i]!.cpu += byName['gateway']! + byName['redis']!;
    }
  }
  return used.map(({ pages, cpu }) => (cpu / pages) * 1_000_000);
}

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    repeat: { type: 'string', default: '5' },
  },
});
const [seconds, repeat] = [Number(values.seconds), Number(values.repeat)];

async function start(checkout: string): Promise<Server> {
  const { startCluster } = (await import(join(checkout, 'bench/cluster.ts'))) as {
    startCluster(options: ServerOptions): Promise<Server>;
  };
  return startCluster({ env: process.env });
}

const server = await start(join(import.meta.dirname, '..'));
const before = values.before === undefined ? null : await start(values.before);
try {
  console.log(machine());
  const names: string[] = [];
  const readers: Reader[] = [];
  /** Adds a user. Resolves the size of its first page. */
  async function add(name: string, on: Server, filling: Omit<Filling, 'length'>, length = 100): Promise<number> {
    const [writer, reader] = [createClient(on, 'writer'), createClient(on, name)];
    await fill(writer, reader, name, { ...filling, length });
    writer.close();
    names.push(name);
    readers.push({ client: reader, server: on });
    await readFor(reader, 1000);
    return (await reader.ask('GET', firstPage)).length;
  }
  const plain = { messages: pageItems, amended: 0 };
  const bytes = await add('without', server, plain);
  const someBytes = await add('some', server, { messages: pageItems - 64, amended: 64 });
  const allBytes = await add('all', server, { messages: pageItems, amended: pageItems });
  await add('as-some', server, plain, 100 + Math.round((someBytes - bytes) / pageItems));
  await add('as-all', server, plain, 100 + Math.round((allBytes - bytes) / pageItems));
  if (before !== null) await add('before', before, plain);
  const rounds: number[][] = [];
  for (let round = 1; round <= repeat; round++) {
    rounds.push(await runRound(readers, seconds));
    console.log(`round ${round}: ${names.map((name, i) => `${name} ${rounds.at(-1)![i]!.toFixed(0)} µs`).join('  ')}`);
  }
  /** Pages of one reader for the CPU time that a page of another takes. */
  const ratio = (of: string, to: string): number =>
    Number(median(rounds.map((costs) => costs[names.indexOf(to)]! / costs[names.indexOf(of)]!)).toFixed(3));
  const ratios = {
    some_to_without: ratio('some', 'without'),
    all_to_without: ratio('all', 'without'),
    some_to_as_large: ratio('some', 'as-some'),
    all_to_as_large: ratio('all', 'as-all'),
    ...(before === null ? {} : { without_to_before: ratio('without', 'before') }),
  };
  console.log(JSON.stringify({ machine: machine(), pages: pageItems, seconds, repeat, ratios }));
  for (const { client } of readers) client.close();
} finally {
  await Promise.all([server.stop(), before?.stop()]);
}
