import { afterEach, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { sendTo } from '../../support/pair.ts';

/** What operators turn off is as if it were not there, and what users may ask has a bound. */

let cluster: Cluster;
afterEach(() => cluster.stop());

test('without presence its frame is bad_frame, its route 404, and nothing is published', async () => {
  cluster = await startCluster({
    fanout: false,
    archive: false,
    env: { PRESENCE: '0', PRESENCE_OFFLINE_AFTER_MS: '0' },
  });
  const heard: string[] = [];
  const subscriber = cluster.redis.duplicate();
  await subscriber.psubscribe(`${cluster.prefix}:presence:*`);
  subscriber.on('pmessage', (_pattern: string, channel: string) => heard.push(channel));
  const alice = await cluster.connect(cluster.user('alice'));
  expect(alice.welcome.features).not.toContain('presence');
  expect(alice.welcome.limits).not.toHaveProperty('presenceUsers');
  expect((await alice.request({ type: 'presence', users: ['bob'] }, 'error')).code).toBe('bad_frame');
  expect(await cluster.http(cluster.token('alice'), 'GET', '/presence?users=bob')).toMatchObject({ status: 404 });
  await alice.close();
  await (await cluster.connect(alice.welcome.user)).settle();
  expect(heard).toEqual([]);
  subscriber.disconnect();
});

test('typing for at most 0 members is taken and passed to nobody', async () => {
  cluster = await startCluster({ fanout: false, archive: false, env: { TYPING_MAX_MEMBERS: '0' } });
  const [alice, bob] = [await cluster.connect('alice'), await cluster.connect('bob')];
  const { message } = await alice.request(sendTo('bob', 'hello', 1), 'accepted');
  alice.send({ type: 'typing', id: 't1', conversation: message.conversation });
  await alice.settle();
  await bob.settle();
  expect(bob.all('typing')).toEqual([]);
  expect(alice.all('error')).toEqual([]);
});

test('strangers are looked up 200 in five seconds, and those known already cost nothing', async () => {
  cluster = await startCluster({ fanout: false, archive: false, env: { RATE_LIMITS: '' } });
  const alice = await cluster.connect('alice');
  const strangers = (from: number) => Array.from({ length: 200 }, (_, i) => `stranger_${from + i}`);
  await alice.request({ type: 'presence', users: strangers(0) }, 'presence');
  const refused = await alice.request({ type: 'presence', users: strangers(200), watch: true }, 'error');
  expect(refused).toMatchObject({ code: 'rate_limited', retryable: true });
  expect(refused.retryAfterMs).toBeGreaterThan(3000);
  await alice.request({ type: 'presence', users: strangers(0) }, 'presence');
  // The refused ones are not watched: there is room for others.
  await alice.request({ type: 'presence', users: strangers(0), watch: true }, 'presence');
});
