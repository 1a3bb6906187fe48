import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { fromInbox, type Gap, type Item } from '../../support/frames.ts';
import { numbers, sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ env: { INBOX_MAX_ENTRIES: '100' } });
});
afterAll(() => cluster.stop());

/** Frames of `deliver` and `gap` in the order in which they came. */
function arrivals(device: Device): ({ gap: Gap } | Item)[] {
  return device.frames.flatMap((frame): ({ gap: Gap } | Item)[] => {
    if (frame.type === 'gap') return [{ gap: frame }];
    return frame.type === 'deliver' ? fromInbox(frame.items) : [];
  });
}

async function readAll(device: Welcomed): Promise<void> {
  await device.until('everything', () => {
    const last = arrivals(device).at(-1);
    const position = last === undefined ? 0 : 'gap' in last ? last.gap.position : last.position;
    device.received(position);
    return position >= device.welcome.head;
  });
}

/** What a device knows of a conversation: the seqs that came, and those that history gives for its gaps. */
async function known(device: Device, conversation: string): Promise<number[]> {
  const seqs = new Set(
    device.items.filter(({ message }) => message.conversation === conversation).map(({ message }) => message.seq),
  );
  for (const { fromSeq, toSeq } of device.gaps.filter((gap) => gap.conversation === conversation)) {
    for (let after = fromSeq - 1; after < toSeq;) {
      const page = await device.request({ type: 'history', conversation, after, limit: 100 }, 'history');
      for (const { seq } of page.messages) if (seq <= toSeq) seqs.add(seq);
      if (!page.more) break;
      after = page.messages.at(-1)!.seq;
    }
  }
  return [...seqs].sort((one, other) => one - other);
}

test('nothing is cut before 100 entries', async () => {
  const [bob, alice] = [cluster.user('bob'), await cluster.connect(cluster.user('alice'))];
  await sendMany(alice, bob, 100);
  await cluster.settled('inbox');
  const device = await cluster.connect(bob);
  await device.until('all', () => device.items.length === 100);
  expect(device.gaps).toEqual([]);
});

test('what was cut is announced in order, and history has it', async () => {
  const bob = cluster.user('bob');
  const friends = await Promise.all([1, 2, 3].map(() => cluster.connect(cluster.user('friend'))));
  // One after the other, then mixed: whole conversations and parts of others are cut.
  await sendMany(friends[0]!, bob, 60, 'first');
  await Promise.all(friends.map((friend) => sendMany(friend, bob, 80, 'mixed')));
  await cluster.settled();

  const device = await cluster.connect(bob);
  expect(device.welcome.head).toBe(300);
  await readAll(device);

  const places = arrivals(device).map((one) => ('gap' in one ? one.gap.position : one.position));
  expect(places).toEqual([...places].sort((one, other) => one - other));
  const items = device.items.map(({ position }) => position);
  expect(items.length).toBeGreaterThanOrEqual(100);
  expect(items).toEqual([...new Set(items)].sort((one, other) => one - other));
  for (const [i, friend] of friends.entries()) {
    const { conversation } = friend.all('accepted')[0]!.message;
    expect(await known(device, conversation)).toEqual(numbers(1, i === 0 ? 140 : 80));
  }
  await device.settle();
  await device.close();

  const again = await cluster.connect(bob);
  expect(again.welcome.position).toBe(300);
  await again.settle();
  expect(arrivals(again)).toEqual([]);
});

test('sync announces the same, and a gap never stands beyond its page', async () => {
  const [bob, alice] = [cluster.user('bob'), await cluster.connect(cluster.user('alice'))];
  await sendMany(alice, bob, 300);
  await cluster.settled();
  const device = await cluster.connect(bob, { mode: 'pull' });
  const covered = new Set<number>();
  let pages = 0;
  for (let after = 0; ; pages++) {
    const page = await device.request({ type: 'sync', after, limit: 30 }, 'page');
    for (const { message } of page.items) covered.add(message.seq);
    for (const gap of page.gaps) {
      expect(gap.position).toBeGreaterThan(after);
      expect(gap.position).toBeLessThanOrEqual(page.items.at(-1)?.position ?? page.next);
      for (let seq = gap.fromSeq; seq <= gap.toSeq; seq++) covered.add(seq);
    }
    expect(page.next).toBeGreaterThanOrEqual(
      Math.max(0, ...page.items.map(({ position }) => position), ...page.gaps.map(({ position }) => position)),
    );
    if (!page.more) break;
    expect(page.next).toBeGreaterThan(after);
    after = page.next;
  }
  expect(pages).toBeGreaterThan(2);
  expect([...covered].sort((one, other) => one - other)).toEqual(numbers(1, 300));
});

test('a device in the middle of its backlog is told of what was cut in front of it', async () => {
  const [bob, alice] = [cluster.user('bob'), await cluster.connect(cluster.user('alice'))];
  await sendMany(alice, bob, 90, 'before');
  await cluster.settled('inbox');
  const device = await cluster.connect(bob, { mode: 'pull' });
  expect((await device.request({ type: 'sync', after: 0, limit: 40 }, 'page')).next).toBe(40);
  await sendMany(alice, bob, 150, 'after');
  await cluster.settled();

  const page = await device.request({ type: 'sync', after: 40, limit: 200 }, 'page');
  const firstItem = page.items[0]!.message.seq;
  expect(firstItem).toBeGreaterThan(41);
  expect(page.gaps).toHaveLength(1);
  expect(page.gaps[0]!.fromSeq).toBeLessThanOrEqual(41);
  expect(page.gaps[0]!.toSeq).toBe(firstItem - 1);
  expect(page.items.map(({ message }) => message.seq)).toEqual(numbers(firstItem, 241 - firstItem));
  const { conversation } = page.gaps[0]!;
  const history = await device.request({ type: 'history', conversation, after: 40, limit: 100 }, 'history');
  expect(history.messages.map(({ seq }) => seq)).toEqual(numbers(41, 100));
});

test('a reader that stays online gets everything, however much passes', async () => {
  const [bob, alice] = [await cluster.connect(cluster.user('bob')), await cluster.connect(cluster.user('alice'))];
  const sending = sendMany(alice, bob.welcome.user, 600);
  const { conversation } = (await alice.find('accepted')).message;
  await bob.until('the last message', () => {
    const last = arrivals(bob).at(-1);
    bob.received(last === undefined ? 0 : 'gap' in last ? last.gap.position : last.position);
    return bob.items.some(({ message }) => message.seq === 600);
  });
  await sending;
  expect(await known(bob, conversation)).toEqual(numbers(1, 600));
});

describe('more gaps than a page holds', () => {
  /** A user whom 450 others have each sent one message: 350 conversations are nothing but a gap. */
  async function crowded(): Promise<string> {
    const bob = cluster.user('bob');
    const service = cluster.token('backend', { scope: 'service' });
    const senders = Array.from({ length: 450 }, () => cluster.user('friend'));
    for (let i = 0; i < senders.length; i += 50) {
      const answers = await Promise.all(
        senders
          .slice(i, i + 50)
          .map((sender) =>
            cluster.http(service, 'POST', '/messages', { clientId: 'a', sender, to: bob, kind: 'text', body: 1 }),
          ),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    }
    await cluster.settled('inbox');
    return bob;
  }

  test.each([200, 30])('sync in pages of %i: each conversation is told once, in order', async (limit) => {
    const device = await cluster.connect(await crowded(), { mode: 'pull' });
    const told: string[] = [];
    let last = 0;
    for (let after = 0; ;) {
      const page = await device.request({ type: 'sync', after, limit }, 'page');
      expect(page.items.length).toBeLessThanOrEqual(limit);
      for (const { position } of [...page.gaps, ...page.items].sort((one, other) => one.position - other.position)) {
        expect(position).toBe(last + 1);
        last = position;
      }
      told.push(
        ...page.gaps.map(({ conversation }) => conversation),
        ...page.items.map(({ message }) => message.conversation),
      );
      expect(page.next).toBe(last);
      if (!page.more) break;
      after = page.next;
    }
    expect(told).toHaveLength(450);
    expect(new Set(told).size).toBe(450);
  });

  test('pushed as a backlog', async () => {
    const device = await cluster.connect(await crowded());
    await readAll(device);
    const places = arrivals(device).map((one) => ('gap' in one ? one.gap.position : one.position));
    expect(places).toEqual(numbers(1, 450));
  });
});

test('a noisy conversation pushes itself out, and not the quiet ones', async () => {
  const bob = cluster.user('bob');
  const [noisy, ...quiet] = await Promise.all(
    ['noisy', 'quiet', 'quieter'].map((name) => cluster.connect(cluster.user(name))),
  );
  await Promise.all(quiet.map((friend) => sendMany(friend, bob, 20, 'private')));
  for (let i = 0; i < 5; i++) await sendMany(noisy!, bob, 100, `noise-${i}`);
  await Promise.all(quiet.map((friend) => sendMany(friend, bob, 3, 'later')));
  await cluster.settled();

  const device = await cluster.connect(bob);
  await readAll(device);
  const [loud, ...others] = [noisy!, ...quiet].map((friend) => friend.all('accepted')[0]!.message.conversation);
  for (const conversation of others) {
    expect(device.gaps.filter((gap) => gap.conversation === conversation)).toEqual([]);
    expect(await known(device, conversation)).toEqual(numbers(1, 23));
  }
  expect(device.items.length).toBeLessThanOrEqual(102);
  expect(device.gaps.filter((gap) => gap.conversation === loud)).toHaveLength(1);
  expect(await known(device, loud!)).toEqual(numbers(1, 500));
  // What is held of each is what the inbox holds.
  const held = Object.entries(await cluster.redis.hgetall(cluster.keys.user(bob))).filter(([field]) =>
    field.startsWith('c:'),
  );
  expect(held.reduce((sum, [, state]) => sum + Number(state.split(' ')[6]), 0)).toBe(
    await cluster.redis.xlen(cluster.keys.inbox(bob)),
  );
});

test('where nobody is noisy the oldest of all go first', async () => {
  const bob = cluster.user('bob');
  const friends = await Promise.all(Array.from({ length: 8 }, () => cluster.connect(cluster.user('friend'))));
  for (const friend of friends) {
    await sendMany(friend, bob, 20, 'turn');
    await cluster.settled();
  }
  const device = await cluster.connect(bob);
  await readAll(device);
  const gone = new Set(device.gaps.map((gap) => gap.conversation));
  expect(gone).toEqual(
    new Set(friends.slice(0, gone.size).map((friend) => friend.all('accepted')[0]!.message.conversation)),
  );
  for (const friend of friends)
    expect(await known(device, friend.all('accepted')[0]!.message.conversation)).toEqual(numbers(1, 20));
});
