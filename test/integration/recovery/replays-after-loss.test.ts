import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { entryOf, messageId, messageTail, messageText, parseMessage } from '../../../shared/model/message-text.ts';
import type { Message } from '../../../shared/model/model.ts';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { runCli } from '../../support/run-cli.ts';
import { searchingOn } from '../../support/searching.ts';

/**
 * Dead letters from before a loss of Redis, which has forgotten their messages. Their senders were asked to send them
 * again. Here a letter is made of a message that Redis never had.
 */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ jobs: true });
}, 60_000);
afterAll(() => cluster.stop());

const seqOfLetter = 1_000_000;

type Sent = { conversation: string; at: number; sender: string; clientId: string; body: string };

/** A dead letter of a message, accepted a minute before `at`; resolves its id and that of the message. */
async function letterOf({
  conversation,
  at: later,
  sender,
  clientId,
  body,
}: Sent): Promise<Record<'letter' | 'id', string>> {
  const partition = cluster.keys.partitionOf(conversation);
  const at = later - 60_000;
  const streamId = `${at}-0`;
  const id = messageId(partition, streamId);
  const tail = messageTail(sender, clientId, 'text', JSON.stringify(body), 'normal');
  const letter = `history-${partition}-${streamId}`;
  await createDeadLetters(cluster.redis, cluster.keys).add({
    id: letter,
    reason: 'poison',
    at,
    attempts: 5,
    error: 'it failed',
    subject: { group: 'history', partition, entry: streamId, conversation, seq: seqOfLetter },
    content: messageText(partition, { streamId, conversation, seq: seqOfLetter, at, tail }),
  });
  return { letter, id };
}

/** Replays a letter; resolves what that did. */
async function replay(letter: string): Promise<string> {
  expect(await runCli(cluster, ['replay', letter])).toMatchObject({ code: 0 });
  return vi.waitFor(
    async () => {
      const found = await createDeadLetters(cluster.redis, cluster.keys).find(letter);
      expect(found?.replayed).toBeDefined();
      return found!.replayed!.effect;
    },
    { timeout: 10_000 },
  );
}

const on = () => searchingOn(cluster);

/** What history has stored, also above the last seq that Redis knows. */
async function inHistory(conversation: string, clientId: string): Promise<Message[]> {
  const store = openSqliteStore(join(cluster.dir, 'history.db'));
  try {
    const blocks = await store.blocks(conversation, 1, Number.MAX_SAFE_INTEGER, 'oldest', 100);
    return blocks.flatMap(({ texts }) => texts.map(parseMessage)).filter((message) => message.clientId === clientId);
  } finally {
    await store.close();
  }
}

test.each(['in history', 'known to Redis alone'])(
  'a message that its sender has sent again, %s, is not stored twice',
  async (place) => {
    const [sender, bob] = [cluster.user('alice'), cluster.user('bob')];
    const conversation = await on().group(sender, bob);
    const clientId = randomUUID();
    if (place !== 'in history') cluster.pause('archive-1');
    try {
      const again = await on().send(sender, { conversation }, 'once', { clientId });
      if (place === 'in history') await cluster.settled();
      const { letter } = await letterOf({ conversation, at: again.at, sender, clientId, body: 'once' });
      expect(await replay(letter)).toBe(
        `nothing: its sender has sent it again, as entry ${entryOf(again.id).streamId}`,
      );
    } finally {
      cluster.resume('archive-1');
    }
    await cluster.settled();
    expect(await inHistory(conversation, clientId)).toHaveLength(1);
  },
);

test('a message that its sender sends again after the replay gets the answer of the replayed one', async () => {
  const [sender, bob] = [cluster.user('alice'), cluster.user('bob')];
  const conversation = await on().group(sender, bob);
  const { at } = await on().send(sender, { conversation }, 'another');
  const [clientId, body] = [randomUUID(), 'said before the loss'];
  const { letter, id } = await letterOf({ conversation, at, sender, clientId, body });
  expect(await replay(letter)).toBe('written to history');
  const send = { sender, conversation, clientId, kind: 'text', body };
  const again = await cluster.http(on().service(), 'POST', '/messages', send);
  expect(again).toMatchObject({ status: 200, body: { message: { id, seq: seqOfLetter } } });
  await cluster.settled();
  expect(await inHistory(conversation, clientId)).toMatchObject([{ id }]);
});
