import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { connectPair, sendTo } from '../../support/pair.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2 });
});
afterAll(() => cluster.stop());

/** The body's bytes in a frame that holds one message. */
const rawBody = (text: string): string => /"body":(.*),"class":"/s.exec(text)![1]!;

const pair = () => connectPair(cluster);

describe('kinds', () => {
  test.each(['text', 'a', 'order.paid_v2', '-', 'restante', 'restantes.x', 'x'.repeat(32)])(
    '%s is allowed',
    async (kind) => {
      const alice = await cluster.connect(cluster.user('alice'));
      await alice.request({ ...sendTo('bob', 'a', 1), kind }, 'accepted');
    },
  );

  test.each([
    'restante.membership',
    'restante.',
    'restante.anything',
    'Text',
    '',
    'x'.repeat(33),
    'a b',
    'é',
    7,
    null,
    ['text'],
  ])('%j is refused', async (kind) => {
    const alice = await cluster.connect(cluster.user('alice'));
    expect(await alice.request({ ...sendTo('bob', 'a', 1), kind }, 'error')).toMatchObject({
      code: 'bad_request',
      clientId: 'a',
    });
  });
});

describe('bodies', () => {
  const text = (bytes: number, character: string): string =>
    character.repeat((bytes - 2) / Buffer.byteLength(character));

  test.each([
    ['one byte', 'a'],
    ['two bytes', 'é'],
    ['three bytes', '€'],
    ['four bytes', '😀'],
  ])('the limit counts bytes of UTF-8: %s', async (_, character) => {
    const { alice, bob } = await pair();
    const width = Buffer.byteLength(character);
    const fitting = 16_384 - ((16_384 - 2) % width);
    const body = text(fitting, character);
    await alice.request(sendTo(bob.welcome.user, 'fits', body), 'accepted');
    const refused = await alice.request(sendTo(bob.welcome.user, 'more', `${body}${character}`), 'error');
    expect(refused).toMatchObject({ code: 'too_large', clientId: 'more', retryable: false });
    await bob.find('deliver');
    expect(bob.bodies).toEqual([body]);
  });

  test('the limit holds for the serialised form, not for how it was spelled', async () => {
    const { alice, bob } = await pair();
    const spelled = '\\u00e9'.repeat(8191);
    alice.sendText(`{"type":"send","clientId":"a","to":"${bob.welcome.user}","kind":"text","body":"${spelled}"}`);
    await alice.find('accepted');
    await bob.find('deliver');
    expect(bob.bodies).toEqual(['é'.repeat(8191)]);
  });

  const nested = (levels: number, open: string, end: string, inner: string) =>
    `${open.repeat(levels)}${inner}${end.repeat(levels)}`;
  test.each([
    ['64 arrays', nested(64, '[', ']', ''), 'accepted'],
    ['65 arrays', nested(65, '[', ']', ''), 'error'],
    ['64 objects', nested(64, '{"a":', '}', '1'), 'accepted'],
    ['65 objects', nested(65, '{"a":', '}', '1'), 'error'],
    ['8,000 arrays', nested(8000, '[', ']', ''), 'error'],
    ['30,000 arrays', nested(30_000, '[', ']', ''), 'error'],
  ] as const)('nesting: %s', async (_, body, answer) => {
    const alice = await cluster.connect(cluster.user('alice'));
    alice.sendText(`{"type":"send","id":"n","clientId":"a","to":"bob","kind":"text","body":${body}}`);
    const found = await alice.until('the answer', () => alice.frames.find(({ re }) => re === 'n'));
    expect(found.type).toBe(answer);
    if (found.type === 'error') expect(found).toMatchObject({ code: 'bad_request', clientId: 'a' });
    await alice.settle();
  });

  test('missing is bad_request, null is a body', async () => {
    const { alice, bob } = await pair();
    const { body: _, ...missing } = sendTo(bob.welcome.user, 'a', 1);
    expect(await alice.request(missing, 'error')).toMatchObject({ code: 'bad_request', clientId: 'a' });
    await alice.request(sendTo(bob.welcome.user, 'b', null), 'accepted');
    await bob.find('deliver');
    expect(bob.items[0]!.message).toHaveProperty('body', null);
  });

  const odd: [string, string][] = [
    ['scalars', '[null,true,false,0,"",[],{},-1,1.5,1e21,123456789012345680000]'],
    ['a lone surrogate', '"a\\ud800b"'],
    ['NUL and control characters', '"\\u0000\\u0001\\u001f\\b\\f\\n\\r\\t\\"\\\\/"'],
    ['line separators', '"\u2028\u2029\u0085"'],
    ['characters beyond the first plane', '"😀👩‍👩‍👧\u202eabc"'],
    ['markup', '"<script>alert(1)</script>"'],
    [
      'keys of prototypes',
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}',
    ],
    ['operators of a database', '{"$set":{"a":1},"a.b":{"$ne":null},"$where":"1"}'],
    ["keys that look like the message's own", '{"id":"x","seq":9,"class":"important","body":{"class":"normal"}}'],
    ['what looks like the end of a message', '"\\",\\"class\\":\\"important\\"}"'],
    ['line breaks and the marks of the push channel', '"D\\nH\\nC\\n a:1,b:2"'],
    ['whole-number keys, which JavaScript puts in order', '{"b":1,"2":2,"a":3,"1":4}'],
    ['the same key twice', '{"a":1,"a":2}'],
    ['numbers beyond JavaScript', '[1e400,-1e400,-0,9007199254740993,0.1,1E+2]'],
  ];
  test.each(odd)('%s: the same bytes on every path', async (_, json) => {
    const { alice, bob } = await pair();
    const expected = JSON.stringify(JSON.parse(json));
    alice.sendText(
      `{"type":"send","id":"s","clientId":"${randomUUID()}","to":"${bob.welcome.user}","kind":"text","body":${json}}`,
    );
    const { message } = await alice.find('accepted');

    await bob.find('deliver');
    const delivered = bob.texts[bob.frames.findIndex(({ type }) => type === 'deliver')]!;
    await bob.request({ type: 'sync', after: 0 }, 'page');
    const synced = bob.texts.at(-1)!;
    await alice.request({ type: 'history', conversation: message.conversation }, 'history');
    const unsettled = alice.texts.at(-1)!;
    await cluster.settled();
    await alice.request({ type: 'history', conversation: message.conversation }, 'history');
    const archived = alice.texts.at(-1)!;

    expect([delivered, synced, unsettled, archived].map(rawBody)).toEqual([expected, expected, expected, expected]);
    const whole = /\{"id":.*,"class":"normal"\}/s;
    expect(new Set([delivered, synced, unsettled, archived].map((frame) => whole.exec(frame)![0])).size).toBe(1);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
