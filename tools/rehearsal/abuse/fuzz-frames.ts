import { randomUUID } from 'node:crypto';
import type { Random } from '../irc/random.ts';
import { openRaw } from './socket.ts';
import { type Attack, attacker, call, repeat, type Stage } from './stage.ts';

/** Frames that are nearly right, on a valid session: they reach deep into the parser and the state machine. */

const odd: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  -0,
  Number.MAX_SAFE_INTEGER,
  2 ** 53,
  '',
  ' ',
  '0',
  '-',
  '--',
  '*',
  '__proto__',
  'constructor',
  'toString',
  'a'.repeat(65),
  'a'.repeat(5000),
  '\u0000',
  '\ud800',
  'ü',
  [],
  {},
  [[]],
  { toString: 1 },
  [null],
  '9'.repeat(30),
  '00000001-0000-7000-8000-000000000000',
];
const users = [attacker, 'eve', 'trent', '-', '__proto__', 'nobody-yet'];

function valid(random: Random, conversations: readonly string[]): Record<string, unknown> {
  const conversation = random.pick([...conversations, 'unknown-group']);
  const target = random.chance(0.5) ? { to: random.pick(users) } : { conversation };
  switch (random.between(0, 8)) {
    case 0:
      return { type: 'sync', after: random.between(0, 50), limit: random.between(1, 200) };
    case 1:
      return {
        type: 'history',
        ...target,
        ...(random.chance(0.5) ? { before: random.between(1, 100) } : { after: random.between(0, 100) }),
        limit: random.between(1, 100),
      };
    case 2:
      return { type: 'read', ...target, seq: random.between(0, 100) };
    case 3:
      return { type: 'received', position: random.between(0, 100) };
    case 4:
      return { type: 'ping' };
    case 5:
      return {
        type: random.pick(['typing', 'presence', 'amend', 'welcome', 'deliver', 'hello', 'reauth', 'unheard-of']),
        conversation,
        users: ['eve'],
        token: 'x',
      };
    default:
      return {
        type: 'send',
        clientId: random.chance(0.2) ? 'again' : randomUUID(),
        ...target,
        kind: random.pick(['text', 'x', 'restante.membership']),
        body: random.pick<unknown>([
          1,
          'hello',
          { a: [1, 2, { b: null }] },
          null,
          'x'.repeat(random.between(0, 20_000)),
        ]),
        class: random.pick(['normal', 'important']),
      };
  }
}

/** The frame, sometimes unchanged, sometimes with a field that is odd, superfluous or missing. */
function mutated(random: Random, frame: Record<string, unknown>): object | string {
  if (random.chance(0.6)) return frame;
  const fields = Object.keys(frame);
  const field = random.pick(fields);
  switch (random.between(0, 4)) {
    case 0:
      return { ...frame, [field]: random.pick(odd) };
    case 1: {
      const { [field]: _, ...rest } = frame;
      return rest;
    }
    case 2:
      return {
        ...frame,
        [random.pick(['id', 'epoch', '__proto__', 'constructor', 'limit', 'after'])]: random.pick(odd),
      };
    case 3:
      return JSON.stringify(frame).slice(0, random.between(1, 40));
    default:
      return `${'['.repeat(random.between(1, 2000))}${']'.repeat(random.between(1, 2000))}`;
  }
}

export const fuzzFrames: Attack = {
  name: 'fuzz-frames',
  unlimited: true,
  says: 'random frames, some nearly right, on sessions that come and go; HTTP requests of the same kind',
  async run(stage: Stage) {
    const { random } = stage;
    const conversations: string[] = ['fuzzed'];
    const tokens = new Map(await Promise.all(users.map(async (user) => [user, await stage.token(user)] as const)));
    await call(stage, tokens.get(attacker)!, 'POST', '/conversations', { id: 'fuzzed', members: ['eve'] });
    const sockets = repeat(stage, 6, async (loop) => {
      const user = random.pick(users);
      const hello = {
        type: 'hello',
        token: tokens.get(user),
        device: random.pick(['-', '_', '0', `d${loop}`]),
        mode: random.pick(['push', 'pull', 'lazy']),
        position: random.between(0, 20),
      };
      const device = await openRaw(stage.ws, random.chance(0.9) ? hello : null);
      if (device === null) {
        stage.count('refused');
        return;
      }
      device.onFrame((frame) => {
        stage.count(frame.type === 'error' ? String(frame['code']) : frame.type);
        const found = (frame['message'] as { conversation?: string } | undefined)?.conversation;
        if (found !== undefined && conversations.length < 50 && !conversations.includes(found))
          conversations.push(found);
      });
      for (let left = random.between(1, 300); left > 0 && device.isOpen && !stage.over(); left--) {
        const frame = mutated(random, random.chance(0.02) ? hello : valid(random, conversations));
        if (typeof frame === 'object' && random.chance(0.3))
          await Promise.race([device.ask(frame), device.closed, new Promise((resolve) => setTimeout(resolve, 200))]);
        else device.send(frame);
        await device.drained(64 * 1024);
      }
      if (!device.isOpen) stage.count(`closed ${await device.closed}`);
      device.end();
    });
    const requests = repeat(stage, 2, async () => {
      const path = random.pick([
        '/messages',
        '/conversations',
        '/conversations/fuzzed',
        '/conversations/fuzzed/members/eve',
        '/inbox',
        '/inbox/received',
        '/devices',
        '/devices/-',
        '/conversations/fuzzed/read',
      ]);
      const method = random.pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
      const query = random.chance(0.3)
        ? `?${random.pick(['after', 'before', 'limit', 'device', 'user'])}=` +
          `${encodeURIComponent(String(random.pick(['-1', '0', '1e9', 'x', '%', '__proto__'])))}`
        : '';
      const body = method === 'GET' ? undefined : mutated(random, valid(random, conversations));
      await call(stage, tokens.get(random.pick(users))!, method, path + query, body);
    });
    await Promise.all([sockets, requests]);
  },
};
