import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import type { Accepted } from '../../../shared/model/results.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createMessages, type Messages } from '../../../shared/redis/streams/messages.ts';
import { openSlot } from '../../support/open-slot.ts';
import { alwaysInTime } from '../../support/properties.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** Random sends through two gateways, against a map from clientId to the first answer. */

let redis: Redis;
beforeAll(() => {
  redis = connectRedis(inject('redisUrl'), { protocol: 2 });
});
afterAll(() => redis.disconnect());

/** Some clientIds of some senders, so that they come again, within a call too. */
type Said = { gateway: number; sender: string; to: string; clientId: string; print: string; after: string | null };
const name = fc.constantFrom('a', 'b', 'c');
const said: fc.Arbitrary<Said> = fc.record({
  gateway: fc.nat(1),
  sender: fc.constantFrom('alice', 'bob'),
  to: fc.constantFrom('carol', 'dora'),
  clientId: name,
  print: fc.oneof({ weight: 4, arbitrary: fc.constant('f') }, fc.constant('g')),
  after: fc.option(name, { freq: 3 }),
});
/** Sends of one group are on their way at the same time, each gateway's in their order. */
const groups = fc.array(fc.array(said, { minLength: 1, maxLength: 8 }), { maxLength: 6 });

const answer = (accepting: Promise<Accepted>) =>
  accepting.catch((thrown: { code: string }) => ({ refused: thrown.code }));

test('a clientId is accepted once in its conversation, and every repetition gets the first answer', async () => {
  await alwaysInTime(
    fc.asyncProperty(groups, async (given) => {
      const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
      await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
      const gateways: Messages[] = ['g0', 'g1'].map((gateway) =>
        createMessages(
          redis,
          keys,
          { dedupeMs: 60_000, mostUnsettled: 100_000, mostInInboxes: 500, gateway },
          {
            load: async () => false,
            closed: () => undefined,
            seen: () => undefined,
            lookup: async (sends) => sends.map(() => null),
          },
        ),
      );
      const first = new Map<string, { seq: number; id: string; at: number; print: string }>();
      const last = new Map<string, number>();
      for (const group of given) {
        const answers = await Promise.all(
          group.map(({ gateway, sender, to, clientId, print, after }) =>
            answer(
              gateways[gateway]!.accept({
                conversation: directConversation(sender, to),
                sender,
                clientId,
                fingerprint: print,
                right: 'direct',
                users: [sender, to].sort().join(','),
                device: '*',
                class: 'normal',
                made: 0,
                after,
                awaited: false,
                tail: `"sender":"${sender}","clientId":"${clientId}","kind":"text","body":1,"class":"normal"}`,
              }),
            ),
          ),
        );
        const fresh = answers.flatMap((found, i) =>
          'seq' in found && !found.duplicate ? [{ found, one: group[i]! }] : [],
        );
        for (const { found, one } of fresh.toSorted((x, y) => x.found.seq - y.found.seq)) {
          const key = `${one.sender} ${found.conversation} ${one.clientId}`;
          // Never twice, and seqs are dense.
          expect(first.has(key)).toBe(false);
          expect(found.seq).toBe((last.get(found.conversation) ?? 0) + 1);
          last.set(found.conversation, found.seq);
          first.set(key, { seq: found.seq, id: found.id, at: found.at, print: one.print });
        }
        for (const [i, found] of answers.entries()) {
          const { sender, to, clientId, print, after } = group[i]!;
          const conversation = directConversation(sender, to);
          const known = first.get(`${sender} ${conversation} ${clientId}`);
          if ('refused' in found) {
            if (found.refused === 'conflict') expect(known!.print).not.toBe(print);
            else {
              // Its predecessor was not accepted, at least not before this group.
              expect(found.refused).toBe('out_of_order');
              expect(after).not.toBe(null);
            }
          } else {
            expect(known).toMatchObject({ seq: found.seq, id: found.id, at: found.at, print });
            if (after !== null && !found.duplicate) expect(first.has(`${sender} ${conversation} ${after}`)).toBe(true);
          }
        }
      }
      expect(await redis.xlen(keys.messages(0))).toBeGreaterThanOrEqual(first.size);
      const stale = await redis.keys(`${keys.partitionBase(0)}*`);
      if (stale.length > 0) await redis.unlink(stale);
    }),
    200,
  );
}, 60_000);
