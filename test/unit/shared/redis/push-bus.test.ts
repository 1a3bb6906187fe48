import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createKeys } from '../../../../shared/redis/keys.ts';
import {
  againPayload,
  closePayload,
  createPushes,
  hintPayload,
  largeHintPayload,
  receivePushes,
  storedPayload,
} from '../../../../shared/redis/push-bus.ts';

const keys = createKeys('rst', 4, 64);

/** The receiving end of gateway `g`, with what it was told. */
async function receiver() {
  const told: unknown[][] = [];
  const errors: unknown[] = [];
  const subscriber = Object.assign(new EventEmitter(), {
    status: 'ready',
    subscribe: async (channel: string) => void told.push(['subscribed', channel]),
  });
  await receivePushes(
    subscriber as unknown as Redis,
    keys,
    'g',
    {
      deliver: (text, sender, device, recipients) => void told.push(['deliver', text, sender, device, recipients]),
      head: (user, head) => void told.push(['head', user, head]),
      close: (user, session, code, why) => void told.push(['close', user, session, code, why]),
      hint: (text, users, not) => void told.push(['hint', text, users, not]),
      hintLarge: (text, conversation, version) => void told.push(['hintLarge', text, conversation, version]),
      again: (user, device, stored) => void told.push(['again', user, device, stored]),
      large: (message) => void told.push(['large', message]),
      found: (question, answer) => void told.push(['found', question, answer]),
      stored: (partition, streamIds) => void told.push(['stored', partition, streamIds]),
      larges: (users) => void told.push(['larges', users]),
      presence: (news) => void told.push(['presence', news]),
      flush: () => void told.push(['flush']),
      resubscribed: () => void told.push(['resubscribed']),
    },
    (thrown) => void errors.push(thrown),
  );
  return {
    told,
    errors,
    subscriber,
    take: (payload: string) => void subscriber.emit('message', 'rst:push:g', payload),
  };
}

test('hands on every push that the other end collected', async () => {
  const { told, take } = await receiver();
  const pushes = createPushes(keys);
  const text = '{"id":"1-2-3","body":"a b, c:d \\n \u2028 D","class":"normal"}';
  pushes.deliver('g', 'alice', 'phone', 'bob:7,carol:9', text);
  pushes.deliver('g', 'alice', '-', 'bob:8', '{"x":1}');
  pushes.deliver('other', 'alice', '-', 'dora:1', '{}');
  pushes.head('g', 'bob', 8);
  pushes.head('g', 'eve', 1);
  const published = pushes.take();
  expect(published.map(({ channel }) => channel).sort()).toEqual(['rst:push:g', 'rst:push:g', 'rst:push:other']);
  for (const { channel, payload } of published) if (channel === 'rst:push:g') take(payload);
  take(closePayload('bob', 's1', 4409, 'connected again elsewhere'));
  take(againPayload('bob', 'phone', 7));
  take(hintPayload({ users: ['bob', 'carol'], not: null, text }));
  take(hintPayload({ users: ['bob'], not: 'not', text: '{}' }));
  take(largeHintPayload('team', 4, text));
  take(storedPayload(3, ['5-0', '5-1']));
  expect(told).toEqual([
    ['subscribed', 'rst:push:g'],
    [
      'deliver',
      text,
      'alice',
      'phone',
      [
        { user: 'bob', position: 7 },
        { user: 'carol', position: 9 },
      ],
    ],
    ['deliver', '{"x":1}', 'alice', '-', [{ user: 'bob', position: 8 }]],
    ['flush'],
    ['head', 'bob', 8],
    ['head', 'eve', 1],
    ['flush'],
    ['close', 'bob', 's1', 4409, 'connected again elsewhere'],
    ['flush'],
    ['again', 'bob', 'phone', 7],
    ['flush'],
    ['hint', text, ['bob', 'carol'], null],
    ['flush'],
    ['hint', '{}', ['bob'], 'not'],
    ['flush'],
    ['hintLarge', text, 'team', 4],
    ['flush'],
    ['stored', 3, ['5-0', '5-1']],
    ['flush'],
  ]);
});

test('cuts a long payload into several, in order', () => {
  const pushes = createPushes(keys);
  const text = 'x'.repeat(300_000);
  for (let i = 1; i <= 10; i++) pushes.deliver('g', 'alice', '-', `bob:${i}`, text);
  const published = pushes.take();
  expect(published.length).toBeGreaterThan(1);
  for (const { payload } of published) expect(payload.length).toBeLessThan(1_700_000);
  expect(
    published.flatMap(({ payload }) => [...payload.matchAll(/bob:(\d+)/g)].map(([, position]) => Number(position))),
  ).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
});

test('reports an unreadable payload, and goes on', async () => {
  const { told, errors, take } = await receiver();
  take('Z\nsomething');
  take('D\nalice - bob:1\n{}');
  expect(errors).toHaveLength(1);
  expect(told.at(-2)).toEqual(['deliver', '{}', 'alice', '-', [{ user: 'bob', position: 1 }]]);
});

test('reports a renewed subscription, since publishes meanwhile are lost', async () => {
  const { told, subscriber } = await receiver();
  subscriber.emit('ready');
  expect(told.at(-1)).toEqual(['resubscribed']);
});

const amendment =
  '{"sender":"alice","kind":"restante.amend","body":{"seq":5,"action":"edit","version":2},"class":"normal"}';
const withBody = amendment.replace('"version":2}', '"version":2,"body":{"text":"a b *"}}');

test('an amendment has its new body only for those who see the amended message', async () => {
  const { told, take } = await receiver();
  const pushes = createPushes(keys);
  const text = { sender: 'alice', device: 'phone', text: amendment };
  const edit = { target: 5, version: 2, action: 'edit' as const, body: '{"text":"a b *"}' };
  pushes.deliver('g', 'alice', '*', 'bob:1', '{}');
  pushes.amend('g', { ...text, amends: edit }, 'bob:2,dora:4', 'carol:3');
  pushes.amend('g', { ...text, amends: { ...edit, action: 'recall', body: null } }, 'bob:3');
  pushes.deliver('g', 'alice', '*', 'bob:4', '{}');
  for (const { payload } of pushes.take()) take(payload);
  const at = (user: string, position: number) => ({ user, position });
  expect(told.filter(([what]) => what === 'deliver')).toEqual([
    ['deliver', '{}', 'alice', '*', [at('bob', 1)]],
    ['deliver', withBody, 'alice', 'phone', [at('bob', 2), at('dora', 4)]],
    ['deliver', amendment, 'alice', 'phone', [at('carol', 3)]],
    ['deliver', amendment, 'alice', 'phone', [at('bob', 3)]],
    ['deliver', '{}', 'alice', '*', [at('bob', 4)]],
  ]);
});

test('an amendment of a large group comes with both texts', async () => {
  const { told, take } = await receiver();
  const pushes = createPushes(keys);
  pushes.large(
    {
      type: 'amended',
      streamId: '1-0',
      conversation: 'team',
      seq: 9,
      prev: 3,
      version: 4,
      sender: 'alice',
      device: 'phone',
      class: 'normal',
      users: null,
      way: 'large',
      at: 1,
      awaitedBy: '',
      short: false,
      tail: '',
      target: 5,
      targetVersion: 2,
      action: 'edit',
      body: '{"text":"a b *"}',
    },
    amendment,
  );
  const [published] = pushes.take();
  expect(published!.channel).toBe('rst:large:team');
  take(published!.payload);
  expect(told.find(([what]) => what === 'large')).toEqual([
    'large',
    {
      conversation: 'team',
      seq: 9,
      version: 4,
      sender: 'alice',
      device: 'phone',
      change: null,
      text: amendment,
      amends: { target: 5, text: withBody },
    },
  ]);
});
