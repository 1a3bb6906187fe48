import { parseArgs } from 'node:util';
import type { Redis } from 'ioredis';
import { readServerMemory } from '../shared/redis/server-memory.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- forecast [--retention DAYS] [--users FACTORx] [--messages FACTORx] [--samples N] [--json]

Samples the keys of the running deployment, says what takes how much of Redis' memory, how fast that grows, and when its limit is
reached; and what it would be with another retention of inboxes, or more users or messages. Exit code 1 when that cannot fit.

  --retention DAYS  what if inboxes kept messages so long
  --users 10x       what if there were so many times the users
  --messages 3x     what if each wrote so many times the messages
  --samples N       keys of each kind whose memory is measured (default 200)
  --json            as JSON`;

/**
 * Kinds of keys by the word in their name, and what makes them more: users and messages kept, users alone, or nothing.
 */
const kinds = {
  inbox: 'inboxes',
  user: 'users',
  gaps: 'users',
  devices: 'users',
  revoked: 'users',
  'revoked-devices': 'users',
  waiting: 'users',
  conversation: 'users',
  members: 'users',
  recent: 'users',
  messages: 'backlog',
  sent: 'messages',
  delivery: 'users',
  notify: 'users',
} as const;
type Kind = keyof typeof kinds | 'other';
export type KindUse = { kind: Kind; keys: number; bytesEach: number; bytes: number };

/** The kind of a key: the word after its hash tag, or the queue that the tag names. */
export function kindOf(key: string): Kind {
  const [, tag = '', word = ''] = /\{([^}]+)\}:([^:]*)/.exec(key) ?? [];
  return [word, tag].find((one): one is keyof typeof kinds => Object.hasOwn(kinds, one)) ?? 'other';
}

/**
 * Walks over all keys once; the memory of at most `samples` of each kind is measured, evenly over the walk as it comes.
 */
async function sample(redis: Redis, pattern: string, samples: number, signal: AbortSignal): Promise<KindUse[]> {
  const found = new Map<Kind, { keys: number; measured: number; bytes: number }>();
  for (let cursor = '0'; ;) {
    const [next, page] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
    const wanted: [Kind, string][] = [];
    for (const key of page) {
      const kind = kindOf(key);
      const use = found.get(kind) ?? { keys: 0, measured: 0, bytes: 0 };
      found.set(kind, use);
      use.keys += 1;
      if (use.measured < samples) {
        use.measured += 1;
        wanted.push([kind, key]);
      }
    }
    const sizes = await Promise.all(wanted.map(([, key]) => redis.memory('USAGE', key, 'SAMPLES', 5)));
    wanted.forEach(([kind], i) => (found.get(kind)!.bytes += Number(sizes[i] ?? 0)));
    if (next === '0' || signal.aborted) break;
    cursor = next;
  }
  return [...found]
    .map(([kind, { keys, measured, bytes }]) => ({
      kind,
      keys,
      bytesEach: Math.round(bytes / measured),
      bytes: Math.round((bytes / measured) * keys),
    }))
    .sort((one, other) => other.bytes - one.bytes);
}

/** What all of it would take with so many times the users, messages of each, and days of retention. */
export function wouldBe(
  uses: readonly KindUse[],
  factor: { users: number; messages: number; retention: number },
): number {
  return uses.reduce((sum, { kind, bytes }) => {
    const grows = kind === 'other' ? 'nothing' : kinds[kind];
    const by =
      grows === 'inboxes'
        ? factor.users * factor.messages * factor.retention
        : grows === 'users'
          ? factor.users
          : grows === 'messages' || grows === 'backlog'
            ? factor.users * factor.messages
            : 1;
    return sum + bytes * by;
  }, 0);
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function times(name: string, text: string | undefined): number {
  if (text === undefined) return 1;
  const factor = Number(/^(\d+(?:\.\d+)?)x?$/.exec(text)?.[1] ?? Number.NaN);
  if (!(factor > 0)) throw new UsageError(`--${name} must be a factor like 10x, not ${text}`);
  return factor;
}

export const forecast: Command = {
  summary: "what takes Redis' memory, and when it will be full",
  usage,
  async run(args, { env, stdout, signal }) {
    const { values } = parseArgs({
      args,
      options: {
        retention: { type: 'string' },
        users: { type: 'string' },
        messages: { type: 'string' },
        samples: { type: 'string', default: '200' },
        json: { type: 'boolean', default: false },
      },
    });
    const samples = Number(values.samples);
    if (!Number.isInteger(samples) || samples < 1 || samples > 100_000)
      throw new UsageError(`--samples must be 1 to 100000, not ${values.samples}`);
    const days = values.retention === undefined ? null : Number(values.retention);
    if (days !== null && !(days > 0)) throw new UsageError(`--retention must be days, not ${values.retention}`);
    const access = await openOperatorAccess(env, signal);
    const { redis, config, keys } = access;
    try {
      const retention = days === null ? 1 : days / config.INBOX_RETENTION_DAYS;
      const factor = { users: times('users', values.users), messages: times('messages', values.messages), retention };
      const [uses, memory, created] = await Promise.all([
        sample(redis, keys.every, samples, signal),
        readServerMemory(redis),
        oldestEntry(redis, keys.everyInbox),
      ]);
      const { usedBytes, maxBytes } = memory;
      const counted = uses.reduce((sum, { bytes }) => sum + bytes, 0);
      // What the keys do not say (allocator, clients, the server itself) is taken to grow with them.
      const overhead = counted === 0 ? 1 : Math.max(1, usedBytes / counted);
      const wanted = wouldBe(uses, factor) * overhead;
      // Inboxes grow until the retention has passed once, and then no more.
      const ageDays = created === null ? 0 : (Date.now() - created) / 86_400_000;
      const perDay = ageDays < 0.01 ? null : wanted / Math.min(ageDays, config.INBOX_RETENTION_DAYS * retention);
      const full =
        ageDays >= config.INBOX_RETENTION_DAYS * retention
          ? wanted
          : perDay === null
            ? wanted
            : perDay * config.INBOX_RETENTION_DAYS * retention;
      const daysLeft =
        maxBytes === 0 || perDay === null || full <= maxBytes ? null : Math.max(0, (maxBytes - usedBytes) / perDay);
      const fits = maxBytes === 0 || full <= 0.9 * maxBytes;
      if (values.json) {
        stdout.write(
          `${JSON.stringify({ uses, usedBytes, maxBytes, wantedBytes: Math.round(wanted), fullBytes: Math.round(full), perDayBytes: perDay === null ? null : Math.round(perDay), daysLeft, fits })}\n`,
        );
        return fits ? 0 : 1;
      }
      for (const { kind, keys: count, bytesEach, bytes } of uses) {
        stdout.write(
          `${kind.padEnd(14)} ${String(count).padStart(9)} keys  ${String(bytesEach).padStart(8)} bytes each  ${mb(bytes).padStart(12)}\n`,
        );
      }
      stdout.write(
        `Redis uses ${mb(usedBytes)}${maxBytes === 0 ? ', and nothing limits it: set maxmemory' : ` of ${mb(maxBytes)}`}\n`,
      );
      if (perDay === null) stdout.write('It has not run long enough to say how fast that grows.\n');
      else
        stdout.write(
          `It grows by about ${mb(perDay)} a day, to ${mb(full)} once inboxes have been kept for ${config.INBOX_RETENTION_DAYS * retention} days${daysLeft === null ? '' : `; its limit is reached in ${daysLeft.toFixed(1)} days`}.\n`,
        );
      if (wanted !== counted * overhead)
        stdout.write(
          `As asked (${values.users ?? '1x'} users, ${values.messages ?? '1x'} messages, ${days ?? config.INBOX_RETENTION_DAYS} days) it would use ${mb(wanted)} now.\n`,
        );
      if (!fits)
        stdout.write(
          'This CANNOT fit: sends are refused above nine tenths of the limit. Raise maxmemory, or keep less.\n',
        );
      return fits ? 0 : 1;
    } finally {
      await access.close();
    }
  },
};

/**
 * When the deployment was made (ms since 1970), as near as its keys say: the oldest entry of a few inboxes; null: none
 * has any.
 */
async function oldestEntry(redis: Redis, pattern: string): Promise<number | null> {
  let oldest: number | null = null;
  let cursor = '0';
  for (let step = 0; step < 20; step++) {
    const [next, found] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 500);
    for (const key of found.slice(0, 50)) {
      const [entry] = await redis.xrange(key, '-', '+', 'COUNT', 1);
      const at = Number(/"at":(\d+)/.exec(entry?.[1][1] ?? '')?.[1] ?? Number.NaN);
      if (!Number.isNaN(at) && (oldest === null || at < oldest)) oldest = at;
    }
    cursor = next;
    if (next === '0') break;
  }
  return oldest;
}
