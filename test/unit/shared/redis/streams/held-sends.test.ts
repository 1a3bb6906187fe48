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
  after: null,
  awaited: false,
  tail: '{}',
});

/**
 * The clientIds of a call: behind the script, the number of keys, two keys, the fence and ten arguments come the runs,
 * each with its conversation, right and number of sends before four arguments for each send.
 */
function clientIdsOf(args: unknown[]): string[] {
  const found: string[] = [];
  for (let at = 16; at < args.length - 1;) {
    const count = Number(args[at + 2]);
    at += 3;
    for (let i = 0; i < count; i++, at += 4) found.push(args[at] as string);
  }
  return found;
}

test('keeps sends that arrive during a call behind those that the call leaves waiting for a load', async () => {
  const calls: { clientIds: string[]; reply: (replies: string[]) => void }[] = [];
  const redis = {
    evalsha: (...args: unknown[]) =>
      new Promise((resolve) => calls.push({ clientIds: clientIdsOf(args), reply: resolve })),
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
  calls[1]!.reply(['1 1-1', '0']);
  loaded.resolve(true);
  await turn();
  await turn();
  calls[2]!.reply(['1 2-1', '2 2-2', '3 2-3', '4 2-4', '0']);
  expect(calls.map(({ clientIds }) => clientIds)).toEqual([['1', '2'], ['4'], ['1', '2', '3', '5']]);
  expect((await Promise.all(accepting)).map(({ seq }) => seq)).toEqual([1, 2, 3, 1, 4]);
});

test('brings the sends of a conversation together, and gives each its own answer', async () => {
  const calls: string[][] = [];
  const redis = {
    evalsha: async (...args: unknown[]) => {
      calls.push(clientIdsOf(args));
      return ['7 1-1', '8 1-2', '9 1-3', 'conflict', '0', ''];
    },
  };
  const never = async () => {
    throw new Error('nothing has to be loaded');
  };
  const messages = createMessages(
    redis as unknown as Redis,
    createKeys('t', 1, 1),
    { dedupeMs: 1000, mostUnsettled: 1000, mostInInboxes: 500, gateway: 'g' },
    { load: never, lookup: never, closed: () => undefined, seen: () => undefined },
  );
  const answers = await Promise.allSettled([
    messages.accept(send('tea', '1')),
    messages.accept(send('coffee', '2')),
    messages.accept({ ...send('tea', '3'), right: 'service' }),
    messages.accept(send('tea', '4')),
  ]);
  expect(calls).toEqual([['1', '3', '4', '2']]);
  expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.seq : answer.reason.code))).toEqual([
    7,
    'conflict',
    8,
    9,
  ]);
});
