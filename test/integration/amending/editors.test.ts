import { afterAll, beforeAll, expect, test } from 'vitest';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Frame } from '../../support/frames.ts';
import { apiOf, textTo } from '../../support/http-client.ts';

/** Several editors of one message at once, at two gateways. */

let cluster: Cluster;
let devices: Welcomed[];
let alice: string;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2 });
  alice = cluster.user('alice');
  devices = await Promise.all(
    [1, 2, 1, 2, 1].map((gateway, i) => cluster.connect(alice, { device: `device-${i}`, gateway, mode: 'pull' })),
  );
});
afterAll(() => cluster.stop());

type Answer = Frame<'amended'> | Frame<'error'>;

/** Sends amends without waiting for each other; resolves their answers in this order. */
async function atOnce(amends: { by: Welcomed; frame: object }[]): Promise<Answer[]> {
  const run = Math.random().toString(36).slice(2);
  amends.forEach(({ by, frame }, i) => by.send({ type: 'amend', id: `${run}-${i}`, ...frame }));
  return Promise.all(
    amends.map(({ by }, i) =>
      by.until(`answer ${i}`, () => by.frames.find(({ re }) => re === `${run}-${i}`) as Answer | undefined),
    ),
  );
}

const accepted = (answers: Answer[]): Frame<'amended'>[] =>
  answers.filter((answer): answer is Frame<'amended'> => answer.type === 'amended' && answer.duplicate === undefined);

test('fifty edits at once: the versions are dense, and each ifVersion has one winner', async () => {
  const on = { conversation: await groupOf(cluster, alice, cluster.user('bob')) };
  const seq = await say(devices[0]!, on, 'first');
  const expected = (i: number) => (i % 5 === 0 ? { ifVersion: Math.floor(i / 10) } : {});
  const answers = await atOnce(
    Array.from({ length: 50 }, (_, i) => ({
      by: devices[i % 5]!,
      frame: { ...on, seq, action: 'edit', body: `edit ${i}`, ...expected(i) },
    })),
  );
  const made = accepted(answers).sort((one, other) => one.amendSeq - other.amendSeq);
  expect(made.map(({ version }) => version)).toEqual(made.map((_, i) => i + 1));
  expect(made.map(({ amendSeq }) => amendSeq)).toEqual(made.map((_, i) => seq + 1 + i));
  const winners = answers.flatMap((answer, i) => {
    const { ifVersion } = expected(i);
    if (ifVersion === undefined) {
      expect(answer.type).toBe('amended');
      return [];
    }
    if (answer.type === 'amended') expect(answer.version).toBe(ifVersion + 1);
    else expect(answer.code).toBe('conflict');
    return answer.type === 'amended' ? [ifVersion] : [];
  });
  expect(new Set(winners).size).toBe(winners.length);
  const last = answers.findIndex((answer) => answer.type === 'amended' && answer.version === made.length);
  for (const device of devices.slice(0, 2)) {
    const [message, ...amendments] = await readAll(device, on);
    expect(message).toMatchObject({ body: `edit ${last}`, amended: { version: made.length } });
    expect(amendments.map(({ body }) => body)).toEqual(
      made.map(({ version }) => ({
        seq,
        action: 'edit',
        version,
        ...(version === made.length ? { body: `edit ${last}` } : { superseded: true }),
      })),
    );
  }
});

test('a recall among twenty edits wins: after it there is no body, and no edit', async () => {
  const on = { conversation: await groupOf(cluster, alice, cluster.user('bob')) };
  const seq = await say(devices[0]!, on, 'word-first');
  const amends = Array.from({ length: 21 }, (_, i) => ({
    by: devices[i % 5]!,
    frame: { ...on, seq, ...(i === 9 ? { action: 'recall' } : { action: 'edit', body: `word-${i}` }) },
  }));
  const answers = await atOnce(amends);
  const gone = answers[9] as Frame<'amended'>;
  expect(gone).toMatchObject({ type: 'amended', action: 'recall' });
  for (const answer of accepted(answers)) expect(answer.amendSeq).toBeLessThanOrEqual(gone.amendSeq);
  for (const answer of answers)
    if (answer.type === 'error')
      expect([answer.code, answer.message]).toEqual(['conflict', 'the message was recalled']);
  for (const settle of [() => Promise.resolve(), () => cluster.settled()]) {
    await settle();
    for (const device of devices.slice(0, 2)) {
      const before = device.texts.length;
      const [message] = await readAll(device, on);
      expect(message).toMatchObject({ body: null, amended: { action: 'recall', amendSeq: gone.amendSeq } });
      expect(device.texts.slice(before).join('')).not.toContain('word-');
    }
  }
});

test('an amend follows the sends before it on its socket', async () => {
  const [device] = devices;
  const to = { to: cluster.user('carol') };
  const sent = Array.from({ length: 10 }, (_, i) => ({
    type: 'send',
    clientId: `s${i}`,
    ...to,
    kind: 'text',
    body: i,
  }));
  for (const send of sent) device!.send(send);
  const answer = await device!.request({ type: 'amend', ...to, seq: 10, action: 'edit', body: 'ten' }, 'amended');
  expect(answer).toMatchObject({ seq: 10, version: 1, amendSeq: 11 });
});

test('the gateway is killed before its answer: the same again is answered as the first', async () => {
  const to = { to: cluster.user('dave') };
  const seq = await say(devices[1]!, to, 'one');
  const other = await cluster.connect(alice, { device: 'other', gateway: 2, mode: 'pull' });
  const { conversation } = await other.request({ type: 'history', ...to, limit: 1 }, 'history');
  for (const [i, clientId] of [undefined, 'named'].entries()) {
    const frame = { ...to, seq, action: 'edit', body: `after ${i}`, ...(clientId === undefined ? {} : { clientId }) };
    other.send({ type: 'amend', ...frame });
    // Sent by Redis' own notice, so the amend was carried out, answered or not.
    const before = seq + i;
    const key = cluster.keys.conversation(cluster.keys.partitionOf(conversation), conversation);
    while (Number(await cluster.redis.hget(key, 'amendSeq')) <= before) await devices[0]!.settle();
    await cluster.end('web-2', 'SIGKILL');
    const again = await devices[0]!.request({ type: 'amend', ...frame }, 'amended');
    expect(again).toMatchObject({ version: i + 1, amendSeq: seq + 1 + i, duplicate: true });
    if (i > 0) break;
    await cluster.start('web-2');
    other.socket.terminate();
    Object.assign(other, await cluster.connect(alice, { device: 'other', gateway: 2, mode: 'pull' }));
  }
  const all = await readAll(devices[0]!, to);
  expect(all.map((message) => message.seq)).toEqual([seq, seq + 1, seq + 2]);
});

test('a back end edits beside a user, and both are named', async () => {
  const service = apiOf(cluster, cluster.token('backend', { scope: 'service' }));
  const sent = await service('POST', '/messages', { ...textTo({ to: 'frank', sender: alice }), body: 'draft' });
  const { conversation, seq } = sent.body['message'] as { conversation: string; seq: number };
  const on = { conversation };
  await edit(devices[0]!, on, seq, 'hers');
  const path = `/conversations/${conversation}/messages/${seq}/amend`;
  const his = await service('POST', path, { action: 'edit', body: 'of the house', ifVersion: 1 });
  expect(his.body).toMatchObject({ by: 'backend', version: 2 });
  // The same body by somebody else is another version: it says who wrote it.
  expect(await edit(devices[0]!, on, seq, 'of the house')).toMatchObject({ by: alice, version: 3 });
  expect(await recall(devices[0]!, on, seq)).toMatchObject({ version: 4 });
});
