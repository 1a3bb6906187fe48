import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../tools/harness/local-cluster.ts';
import { Observer, type Time } from './observer.ts';

/**
 * A group that grows above FANOUT_MAX_MEMBERS and shrinks below it again and again while somebody writes, devices are
 * cut off and processes die: every member gets or is told of everything of its time, nothing twice, nothing out of
 * order, and nothing else.
 */

const threshold = 5;
const conversation = 'square';
const observers = ['bob', 'carol', 'dave'];
/** They come and go, so that the group has three to seven members. */
const passers = ['p1', 'p2', 'p3', 'p4'];

let cluster: Cluster;
afterEach(async () => {
  await cluster.stop();
});

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  for (;;) {
    try {
      const response = await fetch(`${cluster.urls[0]!.replace('ws:', 'http:')}/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await cluster.token('shop', { service: true })}`,
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(3000),
      });
      const text = await response.text();
      if (response.status < 500 && response.status !== 429)
        return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
    } catch {
      // The gateway is away: the same again, which is the same.
    }
    await pause(50);
  }
}

const random = (most: number): number => Math.floor(Math.random() * most);

/** Writes and changes members until told to stop; knows the last seq and the times of everybody's membership. */
function startWriting() {
  const times = new Map<string, Time[]>(observers.map((user) => [user, [{ joined: 0, left: null }]]));
  let [last, number, writing] = [0, 0, true];
  let tell = (): void => undefined;

  async function write(): Promise<void> {
    const { status, body } = await call('POST', '/messages', {
      sender: 'alice',
      clientId: `m-${++number}`,
      conversation,
      kind: 'text',
      body: number,
    });
    expect([200, 201]).toContain(status);
    last = (body as { message: { seq: number } }).message.seq;
  }

  async function change(user: string): Promise<void> {
    const spans = times.get(user) ?? [];
    const isMember = spans.at(-1)?.left === null;
    await call(isMember ? 'DELETE' : 'PUT', `/conversations/${conversation}/members/${user}`);
    // Nobody else writes: the change has the next seq.
    last += 1;
    if (isMember) spans.at(-1)!.left = last;
    else spans.push({ joined: last - 1, left: null });
    times.set(user, spans);
  }

  /** Direct messages beside it, so that inboxes are read for other reasons too. */
  const others = (async () => {
    for (let other = 0; writing; other++) {
      const to = observers[random(observers.length)];
      await call('POST', '/messages', { sender: 'alice', clientId: `d-${other}`, to, kind: 'text', body: other });
    }
  })();

  const running = (async () => {
    while (writing) {
      if (random(12) === 0) await change(passers[random(passers.length)]!);
      else if (random(60) === 0) await change('erin');
      else await write();
      tell();
    }
  })();

  return {
    times,
    get last(): number {
      return last;
    },
    async more(messages: number): Promise<void> {
      const goal = last + messages;
      await new Promise<void>((resolve) => (tell = () => void (last >= goal && resolve())));
    },
    async stop(): Promise<void> {
      writing = false;
      await Promise.all([running, others]);
    },
  };
}

async function underFaults(fault: (time: number, devices: Observer[]) => Promise<void>): Promise<void> {
  await call('POST', '/conversations', { id: conversation, members: [...observers] });
  const devices = [...observers, 'erin', ...passers.slice(0, 2)].map(
    (user) => new Observer(cluster, user, conversation),
  );
  const writing = startWriting();
  for (let time = 0; time < 4; time++) {
    await writing.more(150);
    await fault(time, devices);
  }
  await writing.more(150);
  await writing.stop();
  const { last, times } = writing;
  const missing = (): string[] =>
    devices.flatMap((device) =>
      device.missing(times.get(device.user) ?? [], last, () => false).map((seq) => `${device.user}: ${seq}`),
    );
  const deadline = Date.now() + 20_000;
  while (missing().length > 0 && Date.now() < deadline) await pause(50);
  expect({
    missing: missing(),
    leaked: devices.flatMap((device) =>
      device.leaked(times.get(device.user) ?? []).map((seq) => `${device.user}: ${seq}`),
    ),
    violations: devices.flatMap(({ violations }) => violations),
  }).toEqual({ missing: [], leaked: [], violations: [] });
  // Both ways were gone.
  expect(devices.reduce((sum, { withoutPosition }) => sum + withoutPosition, 0)).toBeGreaterThan(20);
  expect(devices.reduce((sum, { withPosition }) => sum + withPosition, 0)).toBeGreaterThan(50);
  await Promise.all(devices.map((device) => device.stop()));
}

const env = { FANOUT_MAX_MEMBERS: String(threshold) };

describe('a group that crosses the threshold in both directions under traffic', () => {
  test('loses, repeats and leaks nothing while devices are cut off', async () => {
    cluster = await startCluster({ web: 2, env });
    await underFaults(async (_, devices) => devices.forEach((device) => void (random(2) === 0 && device.cut())));
  }, 90_000);

  test('nor while the fanout is killed', async () => {
    cluster = await startCluster({ web: 2, env });
    await underFaults(async () => {
      await cluster.kill('fanout');
      await cluster.start('fanout');
    });
  }, 90_000);

  test('nor while two fanouts are paused in turn', async () => {
    cluster = await startCluster({ web: 2, fanout: 2, env });
    await underFaults(async (time) => {
      const name = `fanout-${1 + (time % 2)}`;
      cluster.pause(name);
      // Time itself is tested: how long the other one is alone.
      await pause(1500);
      cluster.resume(name);
    });
  }, 90_000);

  test('nor while gateways are killed', async () => {
    cluster = await startCluster({ web: 2, env });
    await underFaults(async () => {
      await cluster.kill('web-2');
      await cluster.start('web-2');
    });
  }, 90_000);

  test('nor while what is published is lost', async () => {
    cluster = await startCluster({ web: 2, env });
    const redis = new Redis(cluster.redisUrl);
    await underFaults(async () => {
      for (let i = 0; i < 5; i++) {
        await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        // Time itself is tested: connections break at any moment of a publish.
        await pause(random(100));
      }
    });
    redis.disconnect();
  }, 90_000);

  test('nor while Redis, or a gateway, stands still', async () => {
    cluster = await startCluster({ web: 2, env });
    await underFaults(async (time) => {
      const name = time % 2 === 0 ? 'redis' : 'web-2';
      cluster.pause(name);
      // Time itself is tested: longer than a command may take.
      await pause(3500);
      cluster.resume(name);
    });
  }, 90_000);
});
