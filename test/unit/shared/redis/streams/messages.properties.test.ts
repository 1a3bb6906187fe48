import { setImmediate as immediate } from 'node:timers/promises';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createKeys } from '../../../../../shared/redis/keys.ts';
import { createMessages } from '../../../../../shared/redis/streams/messages.ts';
import type { Send } from '../../../../../shared/redis/streams/sends.ts';
import { alwaysInTime } from '../../../../support/properties.ts';

/**
 * Sends of one partition on their way into calls, with a played script. Conversations must be loaded, some clientIds
 * looked up, and a call may fail, at any time and in any order.
 */
const mostInCall = 64;
const conversations = ['tea', 'coffee'];
const senders = ['alice', 'bob'];

// Calls that wait for more sends do so by a timer.
beforeAll(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }));
afterAll(() => void vi.useRealTimers());
async function turn(): Promise<void> {
  vi.advanceTimersByTime(1);
  await immediate();
}

type Told = { conversation: string; sender: string; clientId: string; looksUp: boolean };
type Call = { sends: Told[]; resolve: (replies: string[]) => void; reject: (thrown: Error) => void };

/** Behind the script, the number of keys, two keys and the fence come ten arguments, then the runs. */
function toldIn(args: unknown[]): Told[] {
  const made = String(args[14]).split(' ').map(Number);
  const found: Told[] = [];
  for (let at = 16; at < args.length - 1;) {
    const [conversation, count] = [String(args[at]), Number(args[at + 2])];
    at += 3;
    for (let i = 0; i < count; i++, at += 4) {
      const [sender] = String(args[at + 2]).split(' ');
      found.push({ conversation, sender: sender!, clientId: String(args[at]), looksUp: (made[found.length] ?? 0) > 0 });
    }
  }
  return found;
}

/** What the script decides: accepted, or held behind a load or a lookup that it asks for. */
class PlayedScript {
  readonly loaded = new Set<string>();
  readonly accepted: Told[] = [];
  private seq = 0;

  decide(sends: Told[]): string[] {
    const [loading, looking] = [new Set<string>(), new Set<string>()];
    return sends.map((send) => {
      const pair = `${send.sender} ${send.conversation}`;
      if (loading.has(send.conversation)) return 'held';
      if (!this.loaded.has(send.conversation)) {
        loading.add(send.conversation);
        return 'load';
      }
      if (send.looksUp) {
        looking.add(pair);
        return 'lookup';
      }
      if (looking.has(pair)) return 'held';
      this.accepted.push(send);
      return `${++this.seq} ${this.seq}-0`;
    });
  }
}

type Step =
  | { type: 'send'; conversation: number; sender: number; count: number; looksUp: boolean }
  | { type: 'call' | 'load' | 'lookup'; fails: boolean }
  | { type: 'turn' };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('send' as const),
    conversation: fc.nat(1),
    sender: fc.nat(1),
    count: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.constant(70)),
    looksUp: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  }),
  fc.record({
    type: fc.constantFrom('call' as const, 'load' as const, 'lookup' as const),
    fails: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  }),
  fc.constant<Step>({ type: 'turn' }),
);

test('every send has one answer, and those of a sender to a conversation are accepted in their order', async () => {
  await alwaysInTime(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const script = new PlayedScript();
      const calls: Call[] = [];
      const loads: { conversation: string; end: (fails: boolean) => void }[] = [];
      const lookups: { end: (fails: boolean) => void }[] = [];
      let mostCalls = 0;
      const redis = {
        evalsha: (...args: unknown[]) =>
          new Promise<string[]>((resolve, reject) => {
            calls.push({ sends: toldIn(args), resolve, reject });
            mostCalls = Math.max(mostCalls, calls.length);
          }),
      };
      const messages = createMessages(
        redis as unknown as Redis,
        createKeys('t', 1, 1),
        { dedupeMs: 1000, mostUnsettled: 1000, mostInInboxes: 500, gateway: 'g' },
        {
          load: ({ conversation }) =>
            new Promise((resolve, reject) => {
              const end = (fails: boolean): void => {
                if (fails) return reject(new Error('history is away'));
                script.loaded.add(conversation);
                resolve(true);
              };
              loads.push({ conversation, end });
            }),
          lookup: (sends) =>
            new Promise((resolve, reject) => {
              lookups.push({
                end: (fails) => (fails ? reject(new Error('history is away')) : resolve(sends.map(() => null))),
              });
            }),
          closed: () => undefined,
          seen: () => undefined,
        },
      );
      let said = 0;
      let answered = 0;
      const say = (conversation: string, sender: string, looksUp: boolean): void => {
        const one: Send = {
          conversation,
          sender,
          clientId: String(said++),
          fingerprint: 'f',
          right: 'member',
          users: '',
          device: 'phone',
          class: 'normal',
          made: looksUp ? 1 : 0,
          after: null,
          awaited: false,
          tail: '{}',
        };
        const count = (): void => void answered++;
        messages.accept(one).then(count, count);
      };
      const carryOut = (type: 'call' | 'load' | 'lookup', fails: boolean): void => {
        if (type === 'load') return loads.shift()?.end(fails);
        if (type === 'lookup') return lookups.shift()?.end(fails);
        const call = calls.shift();
        if (call === undefined) return;
        if (call.sends.length > mostInCall) throw new Error(`${call.sends.length} sends in a call`);
        if (fails) call.reject(new Error('Redis does not answer'));
        else call.resolve([...script.decide(call.sends), '0']);
      };
      for (const one of steps) {
        if (one.type === 'turn') await turn();
        else if (one.type === 'send')
          for (let i = 0; i < one.count; i++)
            say(conversations[one.conversation]!, senders[one.sender]!, one.looksUp && i === 0);
        else {
          carryOut(one.type, one.fails);
          await turn();
        }
      }
      for (let left = 0; answered < said; left++) {
        if (left > 20 * said + 20) throw new Error(`${said - answered} sends have no answer`);
        for (const type of ['call', 'load', 'lookup'] as const) carryOut(type, false);
        await turn();
      }
      expect(answered).toBe(said);
      expect(mostCalls).toBeLessThanOrEqual(1);
      for (const [, sent] of Map.groupBy(script.accepted, ({ sender, conversation }) => `${sender} ${conversation}`)) {
        const order = sent.map(({ clientId }) => Number(clientId));
        expect(order).toEqual(order.toSorted((one, other) => one - other));
        expect(new Set(order).size).toBe(order.length);
      }
    }),
  );
});
