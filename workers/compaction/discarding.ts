import type { Redis } from 'ioredis';
import { coldFolders, coldRevision } from '../../shared/history/cold/cold-block.ts';
import type { ObjectStore } from '../../shared/history/cold/objects.ts';
import { blockFormats, type HistoryStore } from '../../shared/history/store.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';

const foldersInRun = 32;
const objectsInRun = 5000;

/**
 * Removes objects whose block is gone, by retention or a merge, or has another revision. Every run continues where the
 * last one stopped.
 *
 * - An object stays while its block holds the texts: another process may be about to make the block cold.
 * - An object of a higher revision than its block's stays: another process may be about to raise it. If that has died,
 *   the next rewriting of the block goes on with the object.
 * - An object of a lower revision goes. _Must hold:_ revisions never fall, and nobody reads the object then.
 * - An object goes if its block is gone or a stub: a block of the same range never returns (HistoryStore.makeCold).
 * - An object stays if its conversation has no block at all. A conversation always keeps its newest block, at least as
 *   a stub, so that object belongs to another history.
 */
export function createDiscarding(parts: {
  redis: Redis;
  keys: Keys;
  history: Pick<HistoryStore, 'stateOf' | 'ranges'>;
  objects: Pick<ObjectStore, 'list' | 'remove'>;
  metrics: Pick<Metrics, 'discarded'>;
}) {
  const { redis, keys, history, objects, metrics } = parts;

  async function look(name: string): Promise<void> {
    const block = coldRevision(name);
    if (block === null) return;
    const state = await history.stateOf(block);
    if (state !== null && state.format !== blockFormats.stub && state.rev <= block.rev) return;
    if ((await history.ranges(block.conversation, 1, 1)).length === 0) return;
    await objects.remove(name);
    metrics.discarded.inc();
  }

  return async (): Promise<void> => {
    let after = (await redis.hget(keys.compaction, 'discardedTo')) ?? '';
    let folder = Math.max(0, coldFolders.indexOf(after.slice(0, 2)));
    let left = objectsInRun;
    for (let walked = 0; walked < foldersInRun && left > 0; walked++) {
      const names = (await objects.list(coldFolders[folder]!))
        .filter((name) => name > after)
        .toSorted()
        .slice(0, left);
      for (const name of names) await look(name);
      left -= names.length;
      folder = (folder + 1) % coldFolders.length;
      after = left > 0 ? `${coldFolders[folder]!}/` : names.at(-1)!;
    }
    await redis.hset(keys.compaction, 'discardedTo', after);
  };
}
