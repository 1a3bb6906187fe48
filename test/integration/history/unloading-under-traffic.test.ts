import { afterAll, beforeAll, expect, test } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { createRandom } from '../../../tools/rehearsal/irc/random.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { createUnloader, type Unloader } from '../../support/unloading.ts';

/** Random traffic, of which every conversation is unloaded over and over. */

let cluster: Cluster;
let unloader: Unloader;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2 });
  unloader = createUnloader(cluster);
});
afterAll(async () => {
  await unloader.close();
  await cluster.stop();
});

const rounds = 120;
const users = ['ann', 'ben', 'cid', 'dot'];
const groups = ['tea', 'rum'];

test('every device has everything once and in order, and no seq is skipped', async () => {
  const random = createRandom(20_261_121);
  const walker = new AbortController();
  // A user writes with its phone; its desk hears of everything.
  const phones = new Map<string, Welcomed>();
  const desks = new Map<string, Welcomed>();
  for (const [i, user] of users.entries()) {
    phones.set(user, await cluster.connect(user, { device: 'phone', mode: 'pull', gateway: 1 + (i % 2) }));
    const desk = await cluster.connect(user, { device: 'desk', gateway: 1 + ((i + 1) % 2) });
    desk.confirm();
    desks.set(user, desk);
  }
  /** Who is in a group, and the seqs that each user sees of each conversation, as they come to be. */
  const members = new Map(groups.map((id) => [id, new Set(['ann', 'ben'])]));
  const lastSeq = new Map<string, number>();
  const visible = new Map<string, number[]>();
  const given = (conversation: string, seq: number, seenBy: Iterable<string>): void => {
    expect([conversation, seq]).toEqual([conversation, (lastSeq.get(conversation) ?? 0) + 1]);
    lastSeq.set(conversation, seq);
    for (const user of new Set(seenBy)) {
      const seqs = visible.get(`${user} ${conversation}`) ?? [];
      visible.set(`${user} ${conversation}`, [...seqs, seq]);
    }
  };
  /** Repeated while it is to be repeated: by chance it is unloaded each time before it is asked. */
  const http = async (user: string, method: string, path: string, body?: object): Promise<void> => {
    let status = 503;
    for (let tries = 0; status === 503 && tries < 20; tries++)
      ({ status } = await cluster.http(cluster.token(user), method, path, body));
    expect([method, path, status < 300]).toEqual([method, path, true]);
  };
  for (const id of groups) await http('ann', 'POST', '/conversations', { id, members: ['ann', 'ben'] });

  async function say(round: number): Promise<void> {
    const user = random.pick(users);
    const mine = groups.filter((id) => members.get(id)!.has(user));
    const group = random.chance(0.5) && mine.length > 0 ? random.pick(mine) : null;
    const peer = random.pick(users);
    const conversation = group ?? directConversation(user, peer);
    const phone = phones.get(user)!;
    const count = random.between(1, 3);
    const answers = Array.from({ length: count }, (_, i) =>
      phone.request(
        {
          type: 'send',
          clientId: `${round}-${i}`,
          ...(group === null ? { to: peer } : { conversation: group }),
          kind: 'text',
          body: `${round}-${i}`,
        },
        'accepted',
      ),
    );
    for (const { message } of await Promise.all(answers))
      given(conversation, message.seq, group === null ? [user, peer] : members.get(group)!);
  }

  async function move(): Promise<void> {
    const [id, user] = [random.pick(groups), random.pick(users.slice(1))];
    const inside = members.get(id)!;
    const seq = (lastSeq.get(id) ?? 0) + 1;
    await http('ann', inside.has(user) ? 'DELETE' : 'PUT', `/conversations/${id}/members/${user}`);
    given(id, seq, [...inside, user]);
    if (!inside.delete(user)) inside.add(user);
  }

  // While all this goes on, and once more, for certain, after every few rounds.
  const walking = (async () => {
    while (!walker.signal.aborted) await unloader.walk();
  })();
  try {
    for (let round = 0; round < rounds; round++) {
      if (random.chance(0.75)) await say(round);
      else if (random.chance(0.7)) await move();
      else await http('ann', 'PATCH', `/conversations/${random.pick(groups)}`, { name: `name ${round}` });
      if (round % 4 === 0) {
        await cluster.settled();
        await unloader.walk();
      }
    }
  } finally {
    walker.abort();
    await walking;
  }
  expect(await unloader.unloaded()).toBeGreaterThan(rounds / 4);

  for (const user of users) {
    const desk = desks.get(user)!;
    const total = [...visible]
      .filter(([of]) => of.startsWith(`${user} `))
      .reduce((sum, [, seqs]) => sum + seqs.length, 0);
    await desk.until('everything', () => desk.items.length >= total);
    for (const conversation of lastSeq.keys()) {
      const seqs = visible.get(`${user} ${conversation}`) ?? [];
      expect([
        user,
        conversation,
        desk.items.filter(({ message }) => message.conversation === conversation).map(({ message }) => message.seq),
      ]).toEqual([user, conversation, seqs]);
      if (seqs.length === 0) continue;
      const read: number[] = [];
      for (let after = 0; ; after = read.at(-1)!) {
        const page = await desk.request({ type: 'history', conversation, after, limit: 100 }, 'history');
        read.push(...page.messages.map(({ seq }) => seq));
        if (!page.more) break;
      }
      expect(read).toEqual(seqs);
    }
    expect([desk.items.length, desk.gaps]).toEqual([total, []]);
  }
}, 60_000);
