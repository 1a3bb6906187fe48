import type { Cluster, Welcomed } from './cluster.ts';
import type { Item, PushedItem } from './frames.ts';
import { sendMany } from './sending.ts';

/** Helpers that fill inboxes, and read their contents and what devices received. */

/** Connects alice, who sends `count` messages to bob, who has never connected. */
export async function sendToBob(
  cluster: Cluster,
  count: number,
): Promise<{ alice: Welcomed; bob: string; conversation: string }> {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  await sendMany(alice, bob, count);
  return { alice, bob, conversation: alice.all('accepted')[0]!.message.conversation };
}

/** Like `sendToBob`; resolves once all messages are in the inboxes. */
export async function fillInbox(cluster: Cluster, count: number): ReturnType<typeof sendToBob> {
  const made = await sendToBob(cluster, count);
  await cluster.settled('inbox');
  return made;
}

/** Positions in order of arrival, duplicates included. */
export const positionsOf = ({ items }: { items: readonly Item[] }): number[] => items.map(({ position }) => position);

/** The seqs of one conversation that were pushed, with or without a position. */
export const seqsOf = ({ pushed }: { pushed: readonly PushedItem[] }, conversation: string): number[] =>
  pushed.flatMap(({ message }) => (message.conversation === conversation ? [message.seq] : []));

/** Whether the user is queued for a notification. */
export const waitsForNotification = async (
  { redis, keys }: Pick<Cluster, 'redis' | 'keys'>,
  user: string,
): Promise<boolean> => (await redis.hexists(keys.user(user), 'waiting')) === 1;

/** Entries ever appended to all message streams. */
export async function appendedEntries({ redis, keys }: Cluster): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: keys.partitions }, (_, partition) => redis.hget(keys.partitionSlot(partition), 'appended')),
  );
  return counts.reduce((sum, count) => sum + Number(count), 0);
}
