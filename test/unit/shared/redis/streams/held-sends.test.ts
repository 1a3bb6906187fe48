import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createKeys } from '../../../../../shared/redis/keys.ts';
import { createMessages } from '../../../../../shared/redis/streams/messages.ts';
import type { Send } from '../../../../../shared/redis/streams/sends.ts';

const send = (conversation: string, clientId: string): Send => ({
  conversation,
  sender: 'alice',
  clientId,
  fingerprint: 'f',
  right: 'member',
  users: '',
  device: 'phone',
  class: 'normal',
  made: 0,
  awaited: false,
  tail: '{}',
});

test('keeps sends that arrive during a call behind those that the call leaves waiting for a load', async () => {
  const calls: { clientIds: string[]; reply: (replies: string[]) => void }[] = [];
  const redis = {
    // The script's name, the number of keys, two keys and the fence, seven arguments, then ten for each send: the third
    // of them is its clientId.
    evalsha: (...args: unknown[]) =>
      new Promise((resolve) =>
        calls.push({ clientIds: args.slice(12).filter((_, i) => i % 10 === 2) as string[], reply: resolve }),
      ),
  };
  const loaded = Promise.withResolvers<boolean>();
  const help = {
    load: () => loaded.promise,
    lookup: async (sends: Send[]) => sends.map(() => null),
    closed: () => undefined,
    seen: () => undefined,
  };
  const messages = createMessages(
    redis as unknown as Redis,
    createKeys('t', 1, 1),
    { dedupeMs: 1000, mostUnsettled: 1000, mostInInboxes: 500, gateway: 'g' },
    help,
  );
  const accepting = [messages.accept(send('tea', '1')), messages.accept(send('tea', '2'))];
  await turn();
  accepting.push(messages.accept(send('tea', '3')), messages.accept(send('coffee', '4')));
  calls[0]!.reply(['load', 'held', '0']);
  await turn();
  await turn();
  accepting.push(messages.accept(send('tea', '5')));
  calls[1]!.reply(['accepted 1 1-1', '0']);
  loaded.resolve(true);
  await turn();
  await turn();
  calls[2]!.reply(['accepted 1 2-1', 'accepted 2 2-2', 'accepted 3 2-3', 'accepted 4 2-4', '0']);
  expect(calls.map(({ clientIds }) => clientIds)).toEqual([['1', '2'], ['4'], ['1', '2', '3', '5']]);
  expect((await Promise.all(accepting)).map(({ seq }) => seq)).toEqual([1, 2, 3, 1, 4]);
});
