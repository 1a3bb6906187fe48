import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { numbers } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ fanout: false, env: { BACKLOG_MAX_ENTRIES: '100', PARTITIONS: '1', SHORT_WAY: '0' } });
});
afterAll(() => cluster.stop());

test('when too much waits for delivery sends are answered with retry_later, and nothing accepted is lost', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  const total = 300;
  const send = (i: number) => ({ type: 'send', clientId: `c-${i}`, to: bob, kind: 'text', body: i });
  for (let i = 0; i < total; i++) alice.send(send(i));
  await alice.until('every answer', () => alice.all('accepted').length + alice.all('error').length === total);
  const refused = alice.all('error');
  expect(alice.all('accepted').length).toBeGreaterThan(0);
  expect(alice.all('accepted').length).toBeLessThanOrEqual(100);
  for (const error of refused)
    expect(error).toMatchObject({ code: 'retry_later', retryable: true, retryAfterMs: expect.any(Number) });

  await cluster.start('fanout');
  for (const { clientId } of refused) {
    const i = Number(clientId!.slice(2));
    for (;;) {
      const answers = alice.frames.length;
      alice.send(send(i));
      const answer = await alice.until('an answer', () => alice.frames[answers]);
      if (answer.type === 'accepted') break;
      expect(answer).toMatchObject({ type: 'error', code: 'retry_later' });
      await cluster.settled();
    }
  }
  const device = await cluster.connect(bob);
  await device.until('everything', () => {
    device.received(device.items.at(-1)?.position ?? 0);
    return device.items.length === total;
  });
  expect(device.items.map(({ message }) => message.seq)).toEqual(numbers(1, total));
  expect([...(device.bodies as number[])].sort((one, other) => one - other)).toEqual(numbers(0, total));
});
