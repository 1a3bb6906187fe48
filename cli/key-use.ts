import type { Redis } from 'ioredis';

/** Kinds of keys by the word in their name, and the factors with which their number grows. */
const kinds = {
  inbox: 'inboxes',
  user: 'users',
  gaps: 'users',
  amended: 'inboxes',
  devices: 'users',
  revoked: 'users',
  'revoked-devices': 'users',
  waiting: 'users',
  conversation: 'users',
  members: 'users',
  recent: 'users',
  notes: 'users',
  receipts: 'users',
  settings: 'users',
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
 * Scans all keys once and measures the memory of the first `samples` keys of each kind. `seen` gets the number of keys
 * scanned so far. Sorted by use, largest first.
 */
export async function sampleKeys(
  redis: Redis,
  pattern: string,
  samples: number,
  signal: AbortSignal,
  seen: (keys: number) => void,
): Promise<KindUse[]> {
  let count = 0;
  const found = new Map<Kind, { keys: number; measured: number; bytes: number }>();
  for (let cursor = '0'; ;) {
    const [next, page] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
    seen((count += page.length));
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

/** Bytes of all keys if users, messages of each user, and days of retention were multiplied by these factors. */
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

/**
 * About when the deployment began: the time of the oldest entry in a few inboxes, in ms since 1970. Null if they are
 * empty.
 */
export async function oldestEntry(redis: Redis, pattern: string): Promise<number | null> {
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
