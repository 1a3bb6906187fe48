import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';

/**
 * What the followers of history (workers/search/) are told, by a stream that all of them read on their own. It is a
 * hint: entries may be lost, and the oldest are trimmed away whoever has read them. A follower also compares everything
 * with history now and then.
 *
 * An entry has one field:
 *   written   ids of conversations of which history has something new, separated by spaces
 *   filled    <conversation> <seq>: a message came into history below newer ones
 *   again     <conversation>: index all of it again
 *   rebuild   index everything again
 */
export type SearchNotice =
  | { type: 'written'; conversations: string[] }
  | { type: 'filled'; conversation: string; seq: number }
  | { type: 'again'; conversation: string }
  | { type: 'rebuild' };

/** Together they bound the stream to some tens of megabytes when nobody reads it. */
const mostEntries = 4000;
const mostIdsInEntry = 200;
/** Conversations that wait for the call before; beyond, none is added. */
const mostWaiting = 10_000;

function fieldOf(notice: SearchNotice): [name: string, value: string] {
  switch (notice.type) {
    case 'written':
      return ['written', notice.conversations.join(' ')];
    case 'filled':
      return ['filled', `${notice.conversation} ${notice.seq}`];
    case 'rebuild':
      return ['rebuild', ''];
    case 'again':
      return ['again', notice.conversation];
  }
}

/** null: of a version that tells more than this one knows. */
function readNotice([name, value = '']: string[]): SearchNotice | null {
  const words = value.split(' ');
  switch (name) {
    case 'written':
      return { type: 'written', conversations: words };
    case 'filled':
      return { type: 'filled', conversation: words[0]!, seq: Number(words[1]) };
    case 'again':
      return { type: 'again', conversation: value };
    case 'rebuild':
      return { type: 'rebuild' };
    default:
      return null;
  }
}

/** Tells followers something. `failed` is called with what a `written` met; nobody waits for it. */
export function createSearchNotices(redis: Redis, keys: Keys, failed: (thrown: unknown) => void) {
  const waiting = new Set<string>();
  let underWay = false;

  async function tell(notice: SearchNotice): Promise<void> {
    await redis.xadd(keys.searchNotices, 'MAXLEN', '~', mostEntries, '*', ...fieldOf(notice));
  }

  async function tellWritten(): Promise<void> {
    underWay = true;
    try {
      while (waiting.size > 0) {
        const conversations = [...waiting].slice(0, mostIdsInEntry);
        for (const conversation of conversations) waiting.delete(conversation);
        await tell({ type: 'written', conversations });
      }
    } catch (thrown) {
      failed(thrown);
    } finally {
      underWay = false;
    }
  }

  return {
    tell,

    /** Returns at once. What comes while a call is under way goes with the next one. */
    written(conversations: Iterable<string>): void {
      for (const conversation of conversations) if (waiting.size < mostWaiting) waiting.add(conversation);
      if (!underWay && waiting.size > 0) void tellWritten();
    },
  };
}

export type SearchNotices = ReturnType<typeof createSearchNotices>;

/** Reads notices from now on. `blocking` waits for them, `commands` does not. */
export function followSearchNotices(commands: Redis, blocking: Redis, keys: Keys, mostMs: number) {
  const mostRead = 500;
  let last: string | null = null;
  /** How many entries the stream has had up to `last`. */
  let passed = 0;

  async function describe(): Promise<{ last: string; added: number; trimmed: number }> {
    const info = (await commands.xinfo('STREAM', keys.searchNotices).catch((thrown: unknown) => {
      if (String(thrown).includes('no such key')) return null;
      throw thrown;
    })) as unknown[] | null;
    if (info === null) return { last: '0-0', added: 0, trimmed: 0 };
    const field = (name: string): unknown => info[info.indexOf(name) + 1];
    const added = Number(field('entries-added'));
    return { last: String(field('last-generated-id')), added, trimmed: added - Number(field('length')) };
  }

  return {
    /** Passes over everything that was told before. */
    async begin(): Promise<void> {
      const found = await describe();
      last = found.last;
      passed = found.added;
    },

    /**
     * Waits for notices. `missed`: some may have been trimmed away unread. `more`: there may be others already.
     */
    async next(): Promise<{ notices: SearchNotice[]; missed: boolean; more: boolean }> {
      const reply = await blocking.xread(
        'COUNT',
        mostRead,
        'BLOCK',
        mostMs,
        'STREAMS',
        keys.searchNotices,
        last ?? '$',
      );
      const entries = reply?.[0]?.[1] ?? [];
      if (entries.length === 0) return { notices: [], missed: false, more: false };
      const more = entries.length === mostRead;
      const { added, trimmed } = more ? await describe() : { added: passed, trimmed: passed };
      // Fewer entries than were read: Redis has lost the stream.
      const missed = trimmed > passed || added < passed;
      passed = missed ? trimmed + entries.length : passed + entries.length;
      last = entries.at(-1)![0];
      return { notices: entries.map(([, fields]) => readNotice(fields)).filter((one) => one !== null), missed, more };
    },
  };
}

export type FollowedNotices = ReturnType<typeof followSearchNotices>;
