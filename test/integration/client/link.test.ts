import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import type { Link, LinkOptions } from '../../../sdk/src/link/api.ts';
import { createLink } from '../../../sdk/src/link/link.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

/** The link of the client package against a real gateway. */

let cluster: Cluster;
const links: Link[] = [];
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

const implementations = { platform: undefined, ws: WebSocket };

function open(user: string, options: Partial<LinkOptions> = {}): Link {
  const link = createLink({
    url: cluster.url().replace(/\/v1\/ws$/, ''),
    getToken: () => cluster.token(user),
    device: 'phone',
    ...options,
  });
  links.push(link);
  link.connect();
  return link;
}

const usable = (link: Link) => vi.waitFor(() => expect(link.usable).toBe(true), { timeout: 10_000 });

test.each(['platform', 'ws'] as const)('sends and reads with the WebSocket of %s', async (name) => {
  const webSocket = implementations[name];
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const items: unknown[] = [];
  const link = open(alice, webSocket === undefined ? {} : { webSocket });
  open(bob, {
    ...(webSocket === undefined ? {} : { webSocket }),
    events: { frame: (frame) => void (frame.type === 'deliver' && items.push(...(frame['items'] as unknown[]))) },
  });
  const send = { type: 'send', to: bob, clientId: 'k1', kind: 'text', body: 'hello' };
  const accepted = await link.insist(() => send);
  expect(accepted).toMatchObject({ type: 'accepted', message: { seq: 1 } });
  await vi.waitFor(() => expect(items).toMatchObject([{ message: { body: 'hello', seq: 1 } }]), { timeout: 10_000 });
  await expect(link.ask({ type: 'history', conversation: 'nowhere' })).rejects.toMatchObject({ code: 'not_found' });
});

test('renews its token on the same connection when that is about to expire', async () => {
  const reasons: string[] = [];
  const link = open(cluster.user('carol'), {
    getToken({ reason }) {
      reasons.push(reason);
      return cluster.token('carol', reason === 'first' ? { exp: Math.floor(Date.now() / 1000) + 31 } : {});
    },
  });
  await usable(link);
  const { welcome } = link;
  await vi.waitFor(() => expect(reasons).toEqual(['first', 'expiring']), { timeout: 10_000 });
  await expect(link.ask({ type: 'ping' })).resolves.toMatchObject({ type: 'pong' });
  expect(link.welcome).toBe(welcome);
});

test('comes back after the gateway was stopped in good order', async () => {
  const states: string[] = [];
  const link = open(cluster.user('dora'), { events: { status: ({ state }) => states.push(state) } });
  await usable(link);
  await cluster.end('web-1');
  await cluster.start('web-1');
  await vi.waitFor(() => expect(states.slice(2)).toContain('connected'), { timeout: 30_000 });
  await expect(link.insist(() => ({ type: 'ping' }))).resolves.toMatchObject({ type: 'pong' });
});
