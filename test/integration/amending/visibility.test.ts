import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Message } from '../../support/frames.ts';
import { apiOf } from '../../support/http-client.ts';
import { mongoServer, withDatabase } from '../../support/mongo-server.ts';

/** Who reads what of amended messages in history: from the stream, from what Redis keeps, and from the store. */

const mongo = await mongoServer();
afterAll(async () => {
  if ('stop' in mongo) await mongo.stop();
});
const stores: [string, Record<string, string>][] = [['SQLite', {}]];
if ('url' in mongo)
  stores.push(['MongoDB', { HISTORY_URL: withDatabase(mongo.url, `restante_${randomBytes(6).toString('hex')}`) }]);
else test('amended messages in MongoDB', ({ skip }) => skip(mongo.skipped));

let cluster: Cluster;
let alice: Welcomed;
let carol: Welcomed;

async function changeMember(method: 'PUT' | 'DELETE', id: string): Promise<void> {
  const path = `/conversations/${id}/members/${carol.welcome.user}`;
  expect((await cluster.http(cluster.token(alice.welcome.user), method, path)).status).toBe(204);
}

const recentOf = (id: string): string => cluster.keys.recent(cluster.keys.partitionOf(id), id);

/** Every text of a conversation by its path: unsettled, then from the store, then from what Redis keeps of it. */
async function onEveryPath(device: Welcomed, id: string, check: (messages: Message[], raw: string) => void) {
  const read = async (): Promise<string> => {
    const before = device.texts.length;
    const messages = await readAll(device, { conversation: id });
    const raw = device.texts
      .slice(before)
      .filter((text) => text.startsWith('{"type":"history"'))
      .map((text) => text.slice(text.indexOf('"messages":')))
      .join('');
    check(messages, raw);
    return raw;
  };
  const texts = [await read()];
  await cluster.settled();
  await cluster.redis.del(recentOf(id));
  texts.push(await read());
  await expect.poll(() => cluster.redis.exists(recentOf(id))).toBe(1);
  texts.push(await read());
  expect(new Set(texts).size).toBe(1);
}

describe.each(stores)('history in %s', (_store, env) => {
  beforeAll(async () => {
    cluster = await startCluster({ env });
    alice = await cluster.connect(cluster.user('alice'), { mode: 'pull' });
    carol = await cluster.connect(cluster.user('carol'), { mode: 'pull' });
  });
  afterAll(() => cluster.stop());

  test('a member who joined after the message gets its amendments without their bodies', async () => {
    const id = await groupOf(cluster, alice.welcome.user);
    const on = { conversation: id };
    const seq = await say(alice, on, 'secret-old');
    await changeMember('PUT', id);
    await edit(alice, on, seq, 'secret-new');
    await edit(alice, on, seq, 'secret-newer');
    await onEveryPath(carol, id, (messages, raw) => {
      expect(raw).not.toContain('secret');
      expect(messages.slice(1).map(({ body }) => body)).toEqual([
        { seq, action: 'edit', version: 1 },
        { seq, action: 'edit', version: 2 },
      ]);
    });
    await onEveryPath(alice, id, (messages) => {
      expect(messages.map(({ body }) => body).slice(-2)).toEqual([
        { seq, action: 'edit', version: 1, superseded: true },
        { seq, action: 'edit', version: 2, body: 'secret-newer' },
      ]);
    });
  });

  test('a member who left before the amendment reads neither text', async () => {
    const id = await groupOf(cluster, alice.welcome.user, carol.welcome.user);
    const on = { conversation: id };
    const [recalled, edited, kept] = [
      await say(alice, on, 'old-4'),
      await say(alice, on, 'old-5'),
      await say(alice, on, 'kept'),
    ];
    await edit(alice, on, edited, 'seen-5');
    await changeMember('DELETE', id);
    await recall(alice, on, recalled);
    await edit(alice, on, edited, 'unseen-5');
    await onEveryPath(carol, id, (messages, raw) => {
      expect(raw).not.toMatch(/old-|seen-5/);
      expect(messages.map(({ body }) => body).slice(0, 3)).toEqual([null, null, 'kept']);
      for (const one of [recalled, edited]) {
        const message = messages.find(({ seq }) => seq === one)!;
        expect(message.amended).toEqual({ action: 'withheld' });
      }
      expect(messages.find(({ seq }) => seq === kept)!.amended).toBeUndefined();
      expect(messages.find(({ seq }) => seq === kept + 1)!.body).toEqual({
        seq: edited,
        action: 'edit',
        version: 1,
        superseded: true,
      });
      expect(messages.at(-1)!.kind).toBe('restante.membership');
    });
    const api = apiOf(cluster, cluster.token(carol.welcome.user));
    const one = await api('GET', `/conversations/${id}/messages/${edited}`);
    expect(one.body['message']).toMatchObject({ body: null, amended: { action: 'withheld' } });
    // Back again, it sees what is amended from now on.
    await changeMember('PUT', id);
    await edit(alice, on, edited, 'again');
    expect((await readAll(carol, on)).find(({ seq }) => seq === edited)).toMatchObject({ body: 'again' });
  });

  describe('bodies that look like the rest of a message', () => {
    const hostile: unknown[] = [
      '"class":"important"}',
      ',"amended":{"action":"recall","by":"eve","at":1,"version":9,"amendSeq":9999}}',
      { body: null, class: 'important', amended: { action: 'edit', by: 'eve', at: 1, version: 9, amendSeq: 9999 } },
      { kind: 'restante.amend', body: { seq: 1, action: 'edit', version: 1, superseded: true } },
      [[[{ seq: 1, action: 'recall' }]], '"body":', '\\"body\\":', '\u2028\u0000\ud83d'],
      null,
      0,
      '',
    ];
    test.each(hostile.flatMap((one, i) => [[JSON.stringify(one), one, hostile[(i + 3) % hostile.length]] as const]))(
      '%s',
      async (_, sent, edited) => {
        const to = { to: cluster.user('bob') };
        const seq = await say(alice, to, sent, { class: 'important' });
        const { conversation } = await alice.request({ type: 'history', ...to, limit: 1 }, 'history');
        const same = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;
        await edit(alice, to, seq, edited);
        await edit(alice, to, seq, sent);
        await edit(alice, to, seq, edited);
        await onEveryPath(alice, conversation, ([message, ...amendments]) => {
          expect(message).toMatchObject({ body: same(edited), class: 'important', amended: { version: 3 } });
          expect(Object.keys(message!)).toHaveLength(10);
          expect(amendments.map(({ body }) => (body as { superseded?: true }).superseded)).toEqual([
            true,
            true,
            undefined,
          ]);
          expect(amendments.at(-1)).toMatchObject({
            class: 'important',
            body: { seq, version: 3, body: same(edited) },
          });
        });
      },
    );
  });

  test('the newest message of a conversation is the newest that counts, as it reads now', async () => {
    const [member, id] = [await cluster.connect(cluster.user('erin'), { mode: 'pull' }), cluster.user('group')];
    const made = { id, members: [alice.welcome.user, member.welcome.user] };
    expect((await cluster.http(cluster.token(alice.welcome.user), 'POST', '/conversations', made)).status).toBe(201);
    const on = { conversation: id };
    const [, second, third] = [await say(alice, on, 1), await say(alice, on, 2), await say(alice, on, 3)];
    const [hers, his] = [alice, member].map(({ welcome }) => apiOf(cluster, cluster.token(welcome.user)));
    const shown = async () => {
      await cluster.settled('inbox');
      const one = (await his!('GET', `/conversations/${id}`)).body;
      const [listed] = (await his!('GET', '/conversations?limit=1')).body['conversations'] as (typeof one)[];
      expect([listed!['last'], listed!['unread'], listed!['lastSeq']]).toEqual([
        one['last'],
        one['unread'],
        one['lastSeq'],
      ]);
      expect((await hers!('GET', `/conversations/${id}`)).body['last']).toEqual(one['last']);
      return [(one['last'] as Message | null)?.body, one['unread'], one['lastSeq']];
    };
    expect(await shown()).toEqual([3, 3, 3]);
    await edit(alice, on, third, 'three');
    expect(await shown()).toEqual(['three', 3, 4]);
    await recall(alice, on, third);
    expect(await shown()).toEqual([2, 2, 5]);
    await recall(alice, on, second);
    expect(await shown()).toEqual([1, 1, 6]);
    await recall(alice, on, 1);
    expect(await shown()).toEqual([undefined, 0, 7]);
  });

  test('old bodies are in no answer, whatever is read and however old the message is', async () => {
    const to = { to: cluster.user('dora') };
    const seqs: number[] = [];
    for (let i = 0; i < 30; i++) seqs.push(await say(alice, to, { word: `old-${i}` }));
    const { conversation } = await alice.request({ type: 'history', ...to, limit: 1 }, 'history');
    const on = { conversation };
    await cluster.settled();
    await readAll(alice, on);
    for (const [i, seq] of seqs.entries()) {
      if (i % 3 === 0) await edit(alice, on, seq, { word: `new-${i}` });
      if (i % 3 === 1) await recall(alice, on, seq);
      const before = alice.texts.length;
      const page = await alice.request({ type: 'history', ...on, after: seq - 1, limit: 1 }, 'history');
      const newest = await alice.request({ type: 'history', ...on, limit: 100 }, 'history');
      expect(page.messages[0]).toEqual(newest.messages.find((message) => message.seq === seq));
      const raw = alice.texts.slice(before).join('');
      for (let j = 0; j <= i; j++) if (j % 3 !== 2) expect(raw).not.toMatch(new RegExp(`old-${j}\\b`));
    }
    await onEveryPath(alice, conversation, (messages, raw) => {
      expect(raw.match(/old-\d+/g)).toEqual(seqs.flatMap((_, i) => (i % 3 === 2 ? [`old-${i}`] : [])));
      expect(messages).toHaveLength(50);
    });
  });
});
