import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type Api, apiOf, bodiesOf, refusal, textTo } from '../../support/http-client.ts';

let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster();
  service = apiOf(cluster, cluster.token('shop', { scope: 'read service' }));
});
afterAll(() => cluster.stop());

/** New users, each with its own token. */
function people(...names: string[]): { user: string; api: Api }[] {
  return names.map((name) => {
    const user = cluster.user(name);
    return { user, api: apiOf(cluster, cluster.token(user)) };
  });
}

async function group(api: Api, ...members: string[]): Promise<string> {
  const created = await api('POST', '/conversations', { members });
  expect(created.status).toBe(201);
  return created.body['id'] as string;
}

describe('POST /messages', () => {
  test('accepts with 201, repeats with 200, and refuses another message under the clientId', async () => {
    const [alice, bob] = people('alice', 'bob');
    const send = textTo({ to: bob!.user });

    const first = await alice!.api('POST', '/messages', send);
    expect(first.status).toBe(201);
    expect(first.body).toEqual({
      clientId: send.clientId,
      message: {
        id: expect.any(String),
        conversation: directConversation(alice!.user, bob!.user),
        seq: 1,
        at: expect.any(Number),
      },
      level: 'accepted',
    });
    expect(Math.abs((first.body['message'] as { at: number }).at - Date.now())).toBeLessThan(60_000);

    const again = await alice!.api('POST', '/messages', send);
    expect(again.status).toBe(200);
    expect(again.body).toEqual({ ...first.body, duplicate: true });

    expect(refusal(await alice!.api('POST', '/messages', { ...send, body: 'other' }))).toEqual([409, 'conflict']);
    expect(refusal(await alice!.api('POST', '/messages', { ...send, kind: 'other' }))).toEqual([409, 'conflict']);
    expect(refusal(await alice!.api('POST', '/messages', { ...send, class: 'important' }))).toEqual([409, 'conflict']);
    expect((await alice!.api('POST', '/messages', { ...send, to: alice!.user })).status).toBe(201);
  });

  test('reaches the sockets and the inboxes of both, in the same bytes as history', async () => {
    const [alice, bob] = people('alice', 'bob');
    const phone = await cluster.connect(bob!.user);
    // Lone surrogate, NUL, a line separator, markup, a key that must not reach a prototype, and a spelling that is not
    // normalised.
    const body = [
      '\ud800',
      '\0',
      '\u2028',
      '<script>',
      1e21,
      -0,
      0.1,
      JSON.parse('{"__proto__":{"polluted":1},"$set":1,"a.b":2}'),
      'e\u0301',
      'é',
    ];
    const sent = await alice!.api('POST', '/messages', textTo({ to: bob!.user }, body));
    expect(sent.status).toBe(201);

    const delivered = await phone.find('deliver');
    const text = phone.texts[phone.frames.indexOf(delivered)]!;
    const message = text.slice(text.indexOf('"message":') + 10, -3);
    expect(JSON.parse(message)).toMatchObject({ sender: alice!.user, ...(sent.body['message'] as object) });
    expect(JSON.stringify(delivered.items[0]!.message.body)).toBe(JSON.stringify(body));

    const id = directConversation(alice!.user, bob!.user);
    for (const { api } of [alice!, bob!]) {
      expect((await api('GET', `/conversations/${id}/messages`)).text).toBe(
        `{"conversation":"${id}","messages":[${message}],"more":false,"absent":[]}`,
      );
      await vi.waitFor(
        async () => expect((await api('GET', '/inbox')).text).toContain(`{"position":1,"message":${message}}`),
        15_000,
      );
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('to oneself, and to somebody who has never connected', async () => {
    const [alice] = people('alice');
    expect((await alice!.api('POST', '/messages', textTo({ to: alice!.user }, 'note'))).status).toBe(201);
    expect(
      bodiesOf(await alice!.api('GET', `/conversations/${directConversation(alice!.user, alice!.user)}/messages`)),
    ).toEqual(['note']);
  });

  test('a user sends for nobody else; a field that is not known changes nothing', async () => {
    const [alice, bob] = people('alice', 'bob');
    expect(refusal(await alice!.api('POST', '/messages', textTo({ to: bob!.user, sender: bob!.user })))).toEqual([
      403,
      'forbidden',
    ]);
    expect((await alice!.api('POST', '/messages', textTo({ to: bob!.user, sender: alice!.user }))).status).toBe(201);
    const forged = { ...textTo({ to: bob!.user }), from: bob!.user, id: 'x', seq: 99, at: 1, user: bob!.user };
    expect((await alice!.api('POST', '/messages', forged)).status).toBe(201);
    const { body } = await bob!.api('GET', `/conversations/${directConversation(alice!.user, bob!.user)}/messages`);
    expect(body['messages']).toMatchObject([
      { seq: 2, sender: alice!.user },
      { seq: 1, sender: alice!.user },
    ]);
  });

  test.each([
    ['both a conversation and a user', { to: 'bob', conversation: 'c' }],
    ['neither', {}],
    ['an empty clientId', { to: 'bob', clientId: '' }],
    ['a long clientId', { to: 'bob', clientId: 'x'.repeat(65) }],
    ['a clientId with a colon', { to: 'bob', clientId: 'a:b' }],
    ['a clientId that is a number', { to: 'bob', clientId: 5 }],
    ['a clientId with NUL', { to: 'bob', clientId: 'a\0' }],
    ['a clientId of an emoji', { to: 'bob', clientId: '😀' }],
    ['a clientId with a right-to-left override', { to: 'bob', clientId: 'a\u202eb' }],
    ['lone surrogates as ids', { to: '\ud800' }],
    ['an operator in place of an id', { conversation: { $ne: null } }],
    ['a user with a brace', { to: '}' }],
    ['a conversation with a tag', { conversation: '{z}' }],
    ['a user of two lines', { to: 'a\r\nb' }],
    ['a kind of the server', { to: 'bob', kind: 'restante.membership' }],
    ['a kind in capitals', { to: 'bob', kind: 'Text' }],
    ['no kind', { to: 'bob', kind: undefined }],
    ['no body', { to: 'bob', body: undefined }],
    ['an unknown class', { to: 'bob', class: 'urgent' }],
    ['a sender that is no id', { to: 'bob', sender: 'a b' }],
  ])('refuses %s as bad_request', async (_what, fields) => {
    const [alice] = people('alice');
    const { clientId, kind, body } = textTo({});
    expect(refusal(await alice!.api('POST', '/messages', { clientId, kind, body, ...fields }))).toEqual([
      400,
      'bad_request',
    ]);
  });

  test('any JSON value is a body, up to its limits', async () => {
    const [alice, bob] = people('alice', 'bob');
    const send = async (body: unknown) =>
      refusal(await alice!.api('POST', '/messages', textTo({ to: bob!.user }, body)));
    for (const body of [null, false, 0, '', [], {}]) expect(await send(body)).toEqual([201, undefined]);
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(await send(nested(64))).toEqual([201, undefined]);
    expect(await send(nested(65))).toEqual([400, 'bad_request']);
    const deep = '['.repeat(24_000) + ']'.repeat(24_000);
    const text = `{"clientId":"deep","kind":"text","to":"${bob!.user}","body":${deep}}`;
    expect(refusal(await alice!.api('POST', '/messages', undefined, { text }))).toEqual([400, 'bad_request']);
    expect(await send('x'.repeat(16_382))).toEqual([201, undefined]);
    expect(await send('x'.repeat(16_383))).toEqual([413, 'too_large']);
    expect(await send('é'.repeat(8_192))).toEqual([413, 'too_large']);
  });
});

describe('a service token', () => {
  test('names the sender, who need not be a member, and sees no inbox of its own', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
    const conversation = await group(alice!.api, bob!.user);
    expect(refusal(await service('POST', '/messages', textTo({ conversation })))).toEqual([400, 'bad_request']);
    expect(
      (await service('POST', '/messages', textTo({ conversation, sender: carol!.user }, 'parcel sent'))).status,
    ).toBe(201);
    expect((await service('POST', '/messages', textTo({ to: bob!.user, sender: 'shop' }, 'welcome'))).status).toBe(201);
    expect(refusal(await service('POST', '/messages', textTo({ conversation: 'nowhere', sender: 'shop' })))).toEqual([
      404,
      'not_found',
    ]);

    const page = await bob!.api('GET', `/conversations/${conversation}/messages`);
    expect(page.body['messages']).toMatchObject([{ sender: carol!.user, body: 'parcel sent' }]);
    await vi.waitFor(async () => expect((await bob!.api('GET', '/inbox')).body['items']).toHaveLength(2), 15_000);
    // It was named as the sender and is still no member.
    expect((await carol!.api('GET', '/inbox')).body['items']).toEqual([]);
    expect(refusal(await carol!.api('GET', `/conversations/${conversation}/messages`))).toEqual([404, 'not_found']);
    expect((await carol!.api('GET', '/conversations')).body['conversations']).toEqual([]);
  });

  test('reads the whole history of any conversation, or what a user may see', async () => {
    const [alice, bob] = people('alice', 'bob');
    const conversation = await group(alice!.api);
    await alice!.api('POST', '/messages', textTo({ conversation }, 'before'));
    await alice!.api('PUT', `/conversations/${conversation}/members/${bob!.user}`);
    await alice!.api('POST', '/messages', textTo({ conversation }, 'after'));

    const all = await service('GET', `/conversations/${conversation}/messages`);
    expect(bodiesOf(all)).toEqual(['after', { user: bob!.user, action: 'joined' }, 'before']);
    const seen = await service('GET', `/conversations/${conversation}/messages?user=${bob!.user}`);
    expect(bodiesOf(seen)).toEqual(['after', { user: bob!.user, action: 'joined' }]);
    expect(refusal(await service('GET', `/conversations/${conversation}/messages?user=nobody`))).toEqual([
      404,
      'not_found',
    ]);
    expect(refusal(await service('GET', `/conversations/${conversation}/messages?user=a%20b`))).toEqual([
      400,
      'bad_request',
    ]);
    expect(refusal(await service('GET', '/conversations/nowhere/messages'))).toEqual([404, 'not_found']);
    expect(refusal(await alice!.api('GET', `/conversations/${conversation}/messages?user=${bob!.user}`))).toEqual([
      403,
      'forbidden',
    ]);
  });
});

describe('GET /conversations/:id/messages', () => {
  test('pages newest first, and oldest first with `after`', async () => {
    const [alice] = people('alice');
    const conversation = await group(alice!.api);
    for (let i = 1; i <= 25; i++) await alice!.api('POST', '/messages', textTo({ conversation }, i));
    const read = async (query: string) => {
      const page = await alice!.api('GET', `/conversations/${conversation}/messages${query}`);
      expect(page.status).toBe(200);
      expect(page.body).toMatchObject({ conversation, absent: [] });
      return [bodiesOf(page), page.body['more']];
    };
    const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i);

    expect(await read('')).toEqual([down(25, 6), true]);
    expect(await read('?before=6')).toEqual([down(5, 1), false]);
    expect(await read('?before=6&limit=5')).toEqual([down(5, 1), false]);
    expect(await read('?before=6&limit=4')).toEqual([down(5, 2), true]);
    expect(await read('?after=0&limit=3')).toEqual([[1, 2, 3], true]);
    expect(await read('?after=22&limit=100')).toEqual([[23, 24, 25], false]);
    expect(await read('?before=1')).toEqual([[], false]);
    expect(await read('?before=0')).toEqual([[], false]);
    expect(await read('?after=25')).toEqual([[], false]);
    expect(await read('?after=9007199254740991')).toEqual([[], false]);
    expect(await read('?before=9007199254740991&limit=1')).toEqual([[25], true]);
  });

  test('shows nothing from before joining or after leaving, and names it as absent', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
    const conversation = await group(alice!.api);
    const say = async (body: string) =>
      expect((await alice!.api('POST', '/messages', textTo({ conversation }, body))).status).toBe(201);
    const change = async (method: 'PUT' | 'DELETE') =>
      expect((await alice!.api(method, `/conversations/${conversation}/members/${bob!.user}`)).status).toBe(204);
    const secrets = async () => {
      for (const query of ['', '?after=0', '?before=2', '?before=100', '?after=0&limit=1', '?limit=100']) {
        const page = await bob!.api('GET', `/conversations/${conversation}/messages${query}`);
        expect(page.text).not.toContain('secret');
        expect(page.status).toBe(200);
      }
      expect((await bob!.api('GET', '/inbox')).text).not.toContain('secret');
      expect((await bob!.api('GET', '/conversations')).text).not.toContain('secret');
    };
    await say('secret 1');
    expect(refusal(await bob!.api('GET', `/conversations/${conversation}/messages`))).toEqual([404, 'not_found']);
    await change('PUT'); // 2
    await say('for both'); // 3
    const first = await bob!.api('GET', `/conversations/${conversation}/messages`);
    expect(bodiesOf(first)).toEqual(['for both', { user: bob!.user, action: 'joined' }]);
    expect(first.body).toMatchObject({ more: false, absent: [{ fromSeq: 1, toSeq: 1 }] });
    await secrets();

    await change('DELETE'); // 4
    await say('secret 5');
    await secrets();
    const left = await bob!.api('GET', `/conversations/${conversation}/messages?after=0`);
    expect(bodiesOf(left)).toEqual([
      { user: bob!.user, action: 'joined' },
      'for both',
      { user: bob!.user, action: 'removed' },
    ]);
    expect(left.body).toMatchObject({ more: false, absent: [{ fromSeq: 1, toSeq: 1 }] });
    // A seq that others took meanwhile is not told either.
    expect((await bob!.api('GET', `/conversations/${conversation}/messages?after=4`)).body).toMatchObject({
      messages: [],
      more: false,
      absent: [],
    });
    expect(refusal(await bob!.api('POST', '/messages', textTo({ conversation })))).toEqual([404, 'not_found']);

    await change('PUT'); // 6
    await say('for both again'); // 7
    await secrets();
    const again = await bob!.api('GET', `/conversations/${conversation}/messages?after=2`);
    expect(bodiesOf(again)).toEqual([
      'for both',
      { user: bob!.user, action: 'removed' },
      { user: bob!.user, action: 'joined' },
      'for both again',
    ]);
    expect(again.body).toMatchObject({ more: false, absent: [{ fromSeq: 5, toSeq: 5 }] });
    expect(refusal(await carol!.api('GET', `/conversations/${conversation}/messages`))).toEqual([404, 'not_found']);
    await vi.waitFor(async () => expect((await bob!.api('GET', '/inbox')).text).toContain('for both again'), 15_000);
    await secrets();
  });

  test('a repeated send still gets its first answer after its sender has left', async () => {
    const [alice, bob] = people('alice', 'bob');
    const conversation = await group(alice!.api, bob!.user);
    const send = textTo({ conversation });
    const first = await bob!.api('POST', '/messages', send);
    expect((await bob!.api('DELETE', `/conversations/${conversation}/members/${bob!.user}`)).status).toBe(204);
    expect(await bob!.api('POST', '/messages', send)).toMatchObject({
      status: 200,
      body: { ...first.body, duplicate: true },
    });
  });
});
