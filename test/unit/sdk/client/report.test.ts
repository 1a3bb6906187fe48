import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { createObserver, type ClientEvent } from '../../../../sdk/src/client/observer.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { version } from '../../../../sdk/src/version.ts';
import { accept, connected, deliver, history, playServerForClients } from './played-client.ts';

/** What a client tells of itself, and never tells. */

playServerForClients();

test('events tell of everything that happens, without texts and tokens', async () => {
  const events: ClientEvent[] = [];
  const { peer, client } = await connected({ getToken: () => 'secret-token', onEvent: (event) => events.push(event) });
  deliver(peer, 1);
  const sent = client.conversation('c').send('secret-text');
  await accept(peer, 2);
  await sent.accepted;
  await vi.waitFor(() => expect(client.report().counters).toHaveProperty('deliver'));
  const types = new Set(events.map(({ type }) => type));
  for (const type of ['attempt', 'frame', 'request', 'write', 'deliver']) expect(types).toContain(type);
  expect(events.find(({ name, type }) => type === 'request' && name === 'send')).toMatchObject({ outcome: 'ok' });
  expect(events.find(({ name, direction }) => name === 'accepted' && direction === 'in')).toHaveProperty('re');
  const everything = JSON.stringify([events, client.report()]);
  expect(everything).not.toMatch(/secret|m1/);
});

test('a report counts what has happened, and says how the network is', async () => {
  const { peer, client, hello } = await connected({}, { features: ['reads'] });
  expect(hello['client']).toBe(`restante-client/${version}`);
  deliver(peer, 1, 2);
  await peer.next('received');
  const report = client.report();
  expect(report).toMatchObject({ version, state: 'connected', quality: 'good', features: ['reads'], waiting: 0 });
  expect(report.counters).toMatchObject({
    attempt: { count: 1 },
    'frame out hello': { count: 1 },
    'frame in deliver': { count: 1 },
    deliver: { count: 2 },
  });
  expect(report.counters['frame in deliver']!.length).toBeGreaterThan(100);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('tells which holes were filled, and counts them without their conversations', async () => {
  const events: ClientEvent[] = [];
  const { peer, client } = await connected({ onEvent: (event) => events.push(event) });
  deliver(peer, 1, 4);
  await peer.next('received');
  client.conversation('c').open();
  await history(peer, [2, 3]);
  await vi.waitFor(() => expect(client.report().counters).toHaveProperty('fill'));
  expect(events.find(({ type }) => type === 'fill')).toMatchObject({ conversation: 'c', rows: 2 });
  expect(client.report().counters['fill']).toMatchObject({ count: 1, rows: 2 });
});

test('the version is that of the package', () => {
  const manifest = readFileSync(new URL('../../../../sdk/package.json', import.meta.url), 'utf8');
  expect((JSON.parse(manifest) as { version: string }).version).toBe(version);
});

test('a listener that throws harms nothing, and counters are bounded', () => {
  const observer = createObserver(fakeClock(), () => {
    throw new Error('from a listener');
  });
  for (let count = 0; count < 1000; count++) observer.observe({ type: 'frame', direction: 'in', name: `t${count}` });
  expect(Object.keys(observer.counters)).toHaveLength(201);
  expect(observer.counters['other']).toEqual({ count: 800 });
});
