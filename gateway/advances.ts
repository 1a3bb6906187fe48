import { type Logger, reason } from '../shared/log.ts';
import type { Advance, Inboxes } from '../shared/redis/inboxes.ts';
import type { Keys } from '../shared/redis/keys.ts';
import type { Session } from './session.ts';

/** A received position is written within this time (ms). */
const writeWithinMs = 100;

/**
 * Writes received positions in batches, one call for each inbox shard, and when a session ends. What could not be written stays
 * and is written with the next batch; a lost one costs that its items come again.
 */
export function createAdvances(inboxes: Pick<Inboxes, 'advance'>, keys: Keys, gateway: string, log: Logger) {
  const waiting = new Map<Session, number>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  async function writeShard(shard: number, epoch: string, sessions: [Session, number][]): Promise<void> {
    const moves: Advance[] = sessions.map(([{ user, device, id }, position]) => ({ user, device, position, gateway, session: id }));
    try {
      const outcomes = await inboxes.advance(shard, epoch, moves);
      if (outcomes === 'epoch') return;
      outcomes.forEach((outcome, i) => {
        if (outcome === 'above') log.warn({ event: 'advance_refused', user: moves[i]!.user, position: moves[i]!.position });
      });
    } catch (thrown) {
      log.warn({ event: 'advance_failed', shard, reason: reason(thrown) });
      for (const [session, position] of sessions) {
        if (!session.ended) waiting.set(session, Math.max(position, waiting.get(session) ?? 0));
      }
      if (waiting.size > 0) schedule();
    }
  }

  async function write(): Promise<void> {
    const batch = [...waiting];
    waiting.clear();
    const shards = new Map<string, { shard: number; epoch: string; sessions: [Session, number][] }>();
    for (const pair of batch) {
      const shard = keys.shardOf(pair[0].user);
      const key = `${shard} ${pair[0].epoch}`;
      const found = shards.get(key);
      if (found === undefined) shards.set(key, { shard, epoch: pair[0].epoch, sessions: [pair] });
      else found.sessions.push(pair);
    }
    await Promise.all([...shards.values()].map(({ shard, epoch, sessions }) => writeShard(shard, epoch, sessions)));
  }

  function schedule(): void {
    timer ??= setTimeout(() => {
      timer = null;
      writing = writing.then(write);
    }, writeWithinMs);
  }

  return {
    advance(session: Session, position: number): void {
      waiting.set(session, position);
      schedule();
    },
    /** Resolves when everything that was received until now is written, or could not be. */
    flush(): Promise<void> {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      writing = writing.then(write);
      return writing;
    },
    get waiting(): boolean {
      return waiting.size > 0;
    },
  };
}

export type Advances = ReturnType<typeof createAdvances>;
