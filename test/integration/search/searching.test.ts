import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { mongoServer, withDatabase } from '../../support/mongo-server.ts';
import { type Searching, searchingOn, type SearchPage } from '../../support/searching.ts';

/** What users find, and what never, on both stores. */

const mongo = await mongoServer();
afterAll(async () => {
  if ('stop' in mongo) await mongo.stop();
});
const stores: [string, Record<string, string>][] = [['SQLite', {}]];
if ('url' in mongo)
  stores.push(['MongoDB', { HISTORY_URL: withDatabase(mongo.url, `restante_${randomBytes(6).toString('hex')}`) }]);
else test('searching in MongoDB', ({ skip }) => skip(mongo.skipped));

describe.each(stores)('history in %s', (_store, env) => {
  let cluster: Cluster;
  let on: Searching;
  beforeAll(async () => {
    cluster = await startCluster({ search: true, env });
    on = searchingOn(cluster);
    await on.current();
  }, 90_000);
  afterAll(() => cluster.stop());

  test('Chinese is found from one character on', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    await on.send(alice, { to: bob }, '我家在上海东边');
    for (const q of ['上海东边', '海', '上海', '上海东', '海东', '东边'])
      expect([q, on.bodies(await on.until(bob, q, 1))]).toEqual([q, ['我家在上海东边']]);
    for (const q of ['上东', '海上', '边东']) expect([q, on.bodies(await on.search(bob, q))]).toEqual([q, []]);
  });

  test('other writings are, whatever their case, width and accents', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const texts = {
      東京タワー: ['ワー', 'タワ', '東京'],
      안녕하세요: ['하세', '요'],
      สวัสดีครับ: ['ดีครับ'],
      'Herr Müller kommt': ['mull', 'MÜLLER kommt', '"herr muller"'],
      ＡＢＣ１２３: ['abc', 'ABC123'],
    };
    for (const body of Object.keys(texts)) await on.send(alice, { to: bob }, { text: body });
    for (const [text, words] of Object.entries(texts))
      for (const q of words) expect([q, on.bodies(await on.until(bob, q, 1))]).toEqual([q, [{ text }]]);
    for (const q of ['uller', '123', '"muller herr"']) expect((await on.search(bob, q)).messages).toEqual([]);
  });

  test('a member finds what it may read, and nothing else', async () => {
    const [alice, bob, carol] = [cluster.user('alice'), cluster.user('bob'), cluster.user('carol')];
    const conversation = await on.group(alice);
    const say = async (from: number, to: number) => {
      for (let i = from; i <= to; i++) await on.send(alice, { conversation }, `word ${i}`);
    };
    await say(1, 9);
    await on.member('PUT', conversation, bob);
    await say(10, 19);
    await on.member('DELETE', conversation, bob);
    await say(20, 25);
    await on.until(alice, 'word', 25, { limit: 50 });
    const seen = await on.search(bob, 'word', { limit: 50 });
    expect(on.bodies(seen)).toEqual(Array.from({ length: 10 }, (_, i) => `word ${19 - i}`));
    for (const q of ['5', '22']) expect((await on.search(bob, `word ${q}`)).messages).toEqual([]);
    expect(on.bodies(await on.search(bob, 'word 12', { conversation }))).toEqual(['word 12']);
    // Who was never there is told nothing, not even how many pages there are.
    expect(await on.search(carol, 'word')).toMatchObject({ messages: [], more: false });
    expect(await on.ask(cluster.token(carol), { q: 'word', conversation })).toMatchObject({ status: 404 });
  });

  test('an edited message is found by what it says now, a recalled one never', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const edited = await on.send(alice, { to: bob }, 'the former wording');
    const recalled = await on.send(alice, { to: bob }, 'an indiscretion');
    await on.until(bob, 'former', 1);
    await on.until(bob, 'indiscretion', 1);
    await on.amend(edited, 'the latter wording');
    expect(on.bodies(await on.search(bob, 'former'))).toEqual([]);
    await on.amend(recalled);
    expect(on.bodies(await on.search(bob, 'indiscretion'))).toEqual([]);
    const { messages } = await on.until(bob, 'latter', 1, {}, 5000);
    expect(messages[0]).toMatchObject({ seq: edited.seq, amended: { action: 'edit' } });
    expect(on.bodies(await on.search(bob, 'wording'))).toEqual(['the latter wording']);
  });

  test('who came after a message, or left before its edit, does not find it by its new words', async () => {
    const [alice, bob, carol] = [cluster.user('alice'), cluster.user('bob'), cluster.user('carol')];
    const conversation = await on.group(alice, bob);
    const sent = await on.send(alice, { conversation }, 'plain at first');
    await on.until(bob, 'plain', 1);
    await on.member('PUT', conversation, carol);
    await on.member('DELETE', conversation, bob);
    await on.amend(sent, 'embroidered since');
    expect(on.bodies(await on.until(alice, 'embroidered', 1))).toEqual(['embroidered since']);
    for (const user of [bob, carol])
      for (const q of ['plain', 'embroidered'])
        expect([user, q, (await on.search(user, q)).messages]).toEqual([user, q, []]);
    expect((await on.search(alice, 'plain')).messages).toEqual([]);
  });

  test('encrypted bodies, other kinds and the server’s own are not indexed', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    await on.send(alice, { to: bob }, 'cipher', { kind: 'e2ee.v1' });
    await on.send(alice, { to: bob }, 'cipher', { kind: 'sticker' });
    await on.send(alice, { to: bob }, { name: 'cipher.pdf', url: 'hidden' }, { kind: 'file' });
    const { messages } = await on.until(bob, 'cipher', 1);
    expect(messages[0]).toMatchObject({ kind: 'file' });
    expect((await on.search(bob, 'hidden')).messages).toEqual([]);
    expect((await on.ask(on.service(), { q: 'joined' })).body).toMatchObject({ messages: [] });
  });

  test('pages show each message once, falling, while others arrive', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const conversation = await on.group(alice, bob);
    const before = Array.from({ length: 200 }, (_, i) => on.send(alice, { conversation }, `paged ${i}`));
    const seqs = (await Promise.all(before)).map(({ seq }) => seq);
    await on.until(bob, 'paged 199', 1);
    await vi.waitFor(async () => {
      const page = (await on.ask(on.service(), { q: 'paged', conversation, limit: 50 })).body as SearchPage;
      expect(page.messages).toHaveLength(50);
    });
    const seen: { seq: number; at: number }[] = [];
    let next: string | undefined;
    do {
      const page = await on.search(bob, 'paged', { limit: 20, ...(next === undefined ? {} : { next }) });
      expect(page.messages.length).toBeLessThanOrEqual(20);
      seen.push(...page.messages);
      next = page.next;
      expect(page.more).toBe(next !== undefined);
      await on.send(alice, { conversation }, 'paged later');
    } while (next !== undefined);
    expect(new Set(seen.map(({ seq }) => seq)).size).toBe(seen.length);
    expect(seqs.filter((seq) => !seen.some((one) => one.seq === seq))).toEqual([]);
    const times = seen.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test('a back end searches everything, or as a user', async () => {
    const [alice, bob, carol] = [cluster.user('alice'), cluster.user('bob'), cluster.user('carol')];
    await on.send(alice, { to: bob }, 'quarterly');
    const sent = await on.send(carol, { to: bob }, 'quarterly', { kind: 'file' });
    await on.until(bob, 'quarterly', 2);
    const count = async (query: object) =>
      ((await on.ask(on.service(), { q: 'quarterly', ...query })).body as SearchPage).messages.length;
    expect(await count({})).toBe(2);
    expect(await count({ user: alice })).toBe(1);
    expect(await count({ user: bob })).toBe(2);
    expect(await count({ from: carol })).toBe(1);
    expect(await count({ kind: 'file' })).toBe(1);
    expect(await count({ after: sent.at })).toBe(0);
    expect(await count({ before: sent.at + 1 })).toBe(2);
    expect(await count({ before: sent.at })).toBe(1);
    expect(await count({ conversation: sent.conversation })).toBe(1);
    expect((await on.ask(cluster.token(alice), { q: 'quarterly', user: bob })).status).toBe(403);
  });

  test('users with more conversations than a question names find in all of them', async () => {
    const alice = cluster.user('alice');
    for (let round = 0; round < 10; round++)
      await Promise.all(
        Array.from({ length: 30 }, (_, i) => on.send(alice, { to: `${alice}-peer-${round * 30 + i}` }, `crowd ${i}`)),
      );
    await vi.waitFor(
      async () =>
        expect(new Set((await on.all(alice, 'crowd')).map(({ conversation }) => conversation)).size).toBe(300),
      { timeout: 20_000 },
    );
  }, 60_000);

  test.each([
    [{ q: '' }, /q/],
    [{ q: '👍 …' }, /a letter, a digit or an ideograph/],
    [{ q: 'a b c d e f g h i' }, /at most 8 words/],
    [{ q: 'a'.repeat(129) }, /q/],
    [{ q: 'a', limit: 51 }, /limit/],
    [{ q: 'a', limit: 0 }, /limit/],
    [{ q: 'a', kind: 'A B' }, /kind/],
    [{ q: 'a', after: -1 }, /after/],
    [{ q: 'a', next: 'made-up' }, /next/],
    [{}, /q/],
  ])('refuses %j', async (query, message) => {
    const { status, body } = await on.ask(cluster.token('alice'), query);
    expect([status, body]).toEqual([400, { error: expect.objectContaining({ code: 'bad_request' }) }]);
    expect(JSON.stringify(body)).toMatch(message);
  });

  test('a `next` is good for its own search and for its own user only', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    for (let i = 0; i < 3; i++) await on.send(alice, { to: bob }, 'signed');
    await on.until(bob, 'signed', 3);
    const { next } = await on.search(bob, 'signed', { limit: 1 });
    const wrong = [
      on.ask(cluster.token(bob), { q: 'other', next: next! }),
      on.ask(cluster.token(alice), { q: 'signed', next: next! }),
      on.ask(cluster.token(bob), { q: 'signed', from: alice, next: next! }),
      on.ask(cluster.token(bob), { q: 'signed', next: `${next!.slice(0, -1)}${next!.endsWith('A') ? 'B' : 'A'}` }),
    ];
    expect((await Promise.all(wrong)).map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect((await on.search(bob, 'signed', { limit: 1, next: next! })).messages).toHaveLength(1);
  });
});
