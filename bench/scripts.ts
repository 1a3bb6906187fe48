/**
 * `node bench/scripts.ts`: what the scripts on the way of a direct message cost Redis, each alone. They are called by
 * their production callers, with the messages of 128 pairs of users who are online. Each checkout has a Redis of its
 * own, and the two take turns in short slices. A cost is CPU time of Redis, so other work of the machine does not
 * count; its network and its append-only file are in it.
 *
 *   --before DIR   another checkout of this repository to compare with
 *   --only NAMES   of `accept`, `append`, `short` (accepts the short way) and `advance`, with commas between
 *   --sizes N,N    messages (`advance`: devices) that are given to the caller at once (1,16,64,256)
 *   --seconds N    of a slice (0.4)
 *   --repeat N     slices of each size and checkout (5); the medians are reported
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPrivateRedis } from '../tools/harness/private-redis.ts';
import { machine } from './machine.ts';
import { median } from './median.ts';

type Redis = {
  status: string;
  once(event: 'ready', listener: () => void): void;
  info(section: string): Promise<string>;
  hset(key: string, fields: Record<string, string | number>): Promise<unknown>;
  xgroup(...words: string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  flushall(): Promise<unknown>;
  disconnect(): void;
};
type Keys = Record<'partitionSlot' | 'messages' | 'shardSlot', (number: number) => string> &
  Record<'user' | 'push', (id: string) => string>;
type Messages = { accept(send: Send): Promise<unknown> };
type Send = { conversation: string; sender: string; device: string; tail: string };

/** What this needs of a checkout's `shared/`, which may be an older one. */
const needed = [
  'model/ids',
  'model/message-text',
  'redis/connection/connect',
  'redis/connection/run',
  'redis/inboxes/devices',
  'redis/inboxes/inbox-appends',
  'redis/keys',
  'redis/streams/messages',
  'redis/streams/short-way',
];
type Shared = {
  directConversation(one: string, other: string): string;
  sortedPair(one: string, other: string): string[];
  messageTail(...parts: string[]): string;
  messageText(partition: number, parts: object): string;
  fingerprint(...parts: string[]): string;
  createConnections(url: string, log: object): { commands(): Redis; subscriber(): Redis };
  runOf(redis: Redis): string;
  createKeys(prefix: string, partitions: number, shards: number): Keys;
  createMessages(redis: Redis, keys: Keys, limits: object, help: object): Messages;
  createShortWay(keys: Keys, options: object, tell: object): object;
  appendToInboxes(
    redis: Redis,
    keys: Keys,
    most: number,
    texts: object[],
    runs: object[],
    publish: boolean,
  ): Promise<unknown>;
  createDevices(
    redis: Redis,
    keys: Keys,
    asked: (user: string, ask: () => Promise<unknown>) => Promise<unknown>,
    closed: () => void,
  ): { attach(...given: unknown[]): Promise<unknown>; advance(moves: object[]): Promise<string[]> };
};

const users = Array.from({ length: 256 }, (_, i) => `user-${String(i).padStart(5, '0')}`);
const pairs = users.length / 2;
const shards = 64;
const dedupeMs = 600_000;
const gateway = 'gateway-of-the-benchmark';
const far = 1_000_000_000;
const scripts = ['accept', 'append', 'short', 'advance'] as const;
type Script = (typeof scripts)[number];

const first = (pair: number): string => users[2 * pair]!;
const second = (pair: number): string => users[2 * pair + 1]!;
const body = (n: number): string => JSON.stringify({ n, text: 'x'.repeat(100) });
const uuid = (n: number): string => `0197b3c1-7000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/** One checkout with its Redis. */
async function open(checkout: string, folder: string) {
  const modules = await Promise.all(
    needed.map((path) => import(join(checkout, 'shared', `${path}.ts`)) as Promise<object>),
  );
  const shared = Object.assign({}, ...modules) as Shared;
  const server = await createPrivateRedis({ dir: folder, env: process.env, readyWithinMs: 20_000 });
  await server.bringUp();
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const connections = shared.createConnections(server.url, quiet);
  const [redis, subscriber] = [connections.commands(), connections.subscriber()];
  for (const one of [redis, subscriber])
    if (one.status !== 'ready') await new Promise<void>((resolve) => one.once('ready', resolve));
  const keys = shared.createKeys('bench', 1, shards);
  await subscriber.subscribe(keys.push(gateway));
  const refused = (): never => {
    throw new Error('Redis could not decide');
  };
  const asked = (_user: string, ask: () => Promise<unknown>): Promise<unknown> => ask();
  const { attach, advance } = shared.createDevices(redis, keys, asked, refused);
  const limits = { dedupeMs, mostUnsettled: far, mostInInboxes: 500, gateway };
  const conversations = Array.from({ length: pairs }, (_, pair) =>
    shared.directConversation(first(pair), second(pair)),
  );
  /** Counts everything that was sent since the data was made anew. */
  let sent = 0;
  let messages: Messages;
  let shortMessages: Messages;

  const sendOf = (n: number): Send & Record<string, unknown> => {
    const pair = n % pairs;
    const sender = Math.floor(n / pairs) % 2 === 0 ? first(pair) : second(pair);
    const json = body(n);
    return {
      conversation: conversations[pair]!,
      sender,
      clientId: uuid(n),
      fingerprint: shared.fingerprint('text', 'normal', json),
      right: 'direct',
      users: shared.sortedPair(first(pair), second(pair)).join(','),
      device: `device-of-${sender}`,
      class: 'normal',
      made: Date.now(),
      after: null,
      awaited: false,
      tail: shared.messageTail(sender, uuid(n), 'text', json, 'normal'),
    };
  };

  /** Begins with empty keys: every slot is open, every user is online, and every pair has written both ways. */
  async function prepare(): Promise<void> {
    await redis.flushall();
    sent = 0;
    const help = { load: refused, lookup: refused, closed: refused, seen() {} };
    messages = shared.createMessages(redis, keys, limits, help);
    const shortWay = shared.createShortWay(
      keys,
      // Nobody is notified; older checkouts take that as a number.
      { isOn: () => true, inboxMaxEntries: far, notifyAfterMs: 0, notifyAfter: { ms: 0 } },
      {
        sending() {},
        accepted(way: string) {
          if (way !== 'short') throw new Error('a message went the long way');
        },
      },
    );
    shortMessages = shared.createMessages(redis, keys, { ...limits, shortWay }, help);
    const slot = { epoch: 'e', line: 'e', generation: 0, complete: 1, since: Date.now(), open: shared.runOf(redis) };
    // The pool has an earlier part, as it has once a deployment is older than that. Nobody is behind.
    const sentPool = `2 0 ${Date.now()} 0 ${dedupeMs} e`;
    const settled = { 'settled:inbox': far, 'settled:history': far };
    await redis.hset(keys.partitionSlot(0), { ...slot, sent: sentPool, ...settled });
    await redis.xgroup('CREATE', keys.messages(0), 'inbox', '0', 'MKSTREAM');
    for (let shard = 0; shard < shards; shard++) await redis.hset(keys.shardSlot(shard), slot);
    for (const user of users) await attach(user, `device-of-${user}`, gateway, `session-of-${user}`, {}, far, 0, false);
    for (const size of [pairs, pairs]) await call.accept(size);
    sent = 0;
    for (const size of [pairs, pairs]) await call.append(size);
    for (const user of users) await redis.hset(keys.user(user), { head: far });
    // The fanout has been given everything.
    await redis.xgroup('SETID', keys.messages(0), 'inbox', '$');
  }

  const call: Record<Script, (size: number) => Promise<unknown>> = {
    accept: (size) => Promise.all(Array.from({ length: size }, () => messages.accept(sendOf(sent++)))),

    short: (size) => Promise.all(Array.from({ length: size }, () => shortMessages.accept(sendOf(sent++)))),

    append(size) {
      const made: { sender: string; device: string; at: number; text: string }[] = [];
      const byRun = new Map<string, { user: string; conversation: string; appends: object[] }>();
      for (const begin = sent; sent < begin + size; sent++) {
        const [pair, seq, at] = [sent % pairs, Math.floor(sent / pairs) + 1, Date.now()];
        const { conversation, sender, device, tail } = sendOf(sent);
        const parts = { streamId: `${at}-${sent}`, conversation, seq, at, tail };
        made.push({ sender, device, at, text: shared.messageText(0, parts) });
        for (const user of [first(pair), second(pair)]) {
          const run = byRun.get(user) ?? { user, conversation, appends: [] };
          const role = user === sender ? 'sender' : 'member';
          run.appends.push({ text: made.length - 1, seq, prev: seq - 1, joined: 0, role, mark: '' });
          byRun.set(user, run);
        }
      }
      // As the fanout does it: few runs are pushed by the script, which then saves two trips.
      return shared.appendToInboxes(redis, keys, far, made, [...byRun.values()], byRun.size <= 16);
    },

    async advance(size) {
      const moves = Array.from({ length: size }, (_, i) => {
        const user = users[(sent + i) % users.length]!;
        const session = `session-of-${user}`;
        return { user, epoch: 'e', device: `device-of-${user}`, position: sent + i + 1, gateway, session };
      });
      sent += size;
      const outcomes = await advance(moves);
      if (outcomes.some((outcome) => outcome !== 'moved')) throw new Error(`a device was not moved: ${outcomes[0]}`);
    },
  };

  async function read(): Promise<{ us: number; commands: number; calls: number; bytesIn: number; bytesOut: number }> {
    const text = (await Promise.all(['cpu', 'stats', 'commandstats'].map((section) => redis.info(section)))).join('');
    const field = (name: string): number => Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(text)![1]);
    let [commands, calls] = [0, 0];
    for (const [, name, count] of text.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)) {
      if (name === 'evalsha') calls += Number(count);
      else if (name !== 'info') commands += Number(count);
    }
    return {
      us: (field('used_cpu_user') + field('used_cpu_sys')) * 1_000_000,
      commands,
      calls,
      bytesIn: field('total_net_input_bytes'),
      bytesOut: field('total_net_output_bytes'),
    };
  }

  return {
    /** Calls a script for a slice of time. Resolves its figures for one message. */
    async slice(script: Script, size: number, seconds: number): Promise<Record<string, number>> {
      await prepare();
      const before = await read();
      let given = 0;
      for (const until = performance.now() + seconds * 1000; performance.now() < until; given += size)
        await call[script](size);
      const after = await read();
      const of = (name: keyof typeof after): number => after[name] - before[name];
      return {
        us_message: of('us') / given,
        us_call: of('us') / of('calls'),
        messages_call: given / of('calls'),
        commands_message: of('commands') / given,
        bytes_in_message: of('bytesIn') / given,
        bytes_out_message: of('bytesOut') / given,
      };
    },
    async close(): Promise<void> {
      for (const one of [redis, subscriber]) one.disconnect();
      await server.child.end('SIGTERM');
    },
  };
}

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    only: { type: 'string', default: scripts.join(',') },
    sizes: { type: 'string', default: '1,16,64,256' },
    seconds: { type: 'string', default: '0.4' },
    repeat: { type: 'string', default: '5' },
  },
});
const chosen = scripts.filter((script) => values.only.split(',').includes(script));
const folder = await mkdtemp(join(tmpdir(), 'restante-scripts-'));
const checkouts = [...(values.before === undefined ? [] : [values.before]), join(import.meta.dirname, '..')];
const opened: Awaited<ReturnType<typeof open>>[] = [];
try {
  for (const [i, checkout] of checkouts.entries()) {
    const own = await mkdtemp(join(folder, `${i}-`));
    opened.push(await open(checkout, own));
  }
  console.log(machine());
  for (const script of chosen) {
    for (const size of values.sizes.split(',').map(Number)) {
      const slices: Record<string, number>[][] = opened.map(() => []);
      for (let round = 0; round < Number(values.repeat); round++)
        for (const [i, checkout] of opened.entries())
          slices[i]!.push(await checkout.slice(script, size, Number(values.seconds)));
      const figures = slices.map((all) =>
        Object.fromEntries(
          Object.keys(all[0]!).map((name) => [name, Number(median(all.map((slice) => slice[name]!)).toFixed(2))]),
        ),
      );
      const ratio = median(slices[0]!.map(({ us_message: us }, i) => slices.at(-1)![i]!['us_message']! / us!));
      const [now, before] = [figures.at(-1), figures.length === 2 ? { before: figures[0] } : {}];
      console.log(JSON.stringify({ script, size, now, ...before, us_to_before: Number(ratio.toFixed(3)) }));
    }
  }
} finally {
  for (const one of opened) await one.close();
  await rm(folder, { recursive: true });
}
