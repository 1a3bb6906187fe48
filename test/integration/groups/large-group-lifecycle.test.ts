import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

/**
 * A very large group from its creation to its members' inboxes and the history, which read its members where they
 * stand.
 */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ env: { FANOUT_MAX_MEMBERS: '2000' } });
});
afterAll(() => cluster.stop());

async function listOf(user: string): Promise<string[]> {
  const { body } = await cluster.http(cluster.token(user), 'GET', '/conversations');
  return (body as { conversations: { id: string }[] }).conversations.map(({ id }) => id);
}

test(
  'every founder has it in its list, also who joins and leaves before that, and history brings it back after a loss',
  { timeout: 90_000 },
  async () => {
    const founders = Array.from({ length: 1300 }, (_, i) => `founder_${i}`);
    const service = cluster.token('backend', { scope: 'service' });
    await cluster.end('fanout');
    await cluster.end('archive');
    const { status, body } = await cluster.http(service, 'POST', '/conversations', {
      id: 'forum',
      members: founders,
      name: 'Forum',
    });
    expect([status, body]).toMatchObject([201, { id: 'forum', memberCount: 1300, name: 'Forum' }]);
    const member = (user: string) => `/conversations/forum/members/${user}`;
    expect((await cluster.http(service, 'DELETE', member('founder_3'))).status).toBe(204);
    expect((await cluster.http(service, 'PUT', member('newcomer'))).status).toBe(204);
    await cluster.start('fanout');
    await cluster.start('archive');
    await cluster.settled();

    expect(await Promise.all(['founder_0', 'founder_1299', 'newcomer', 'founder_3', 'stranger'].map(listOf))).toEqual([
      ['forum'],
      ['forum'],
      ['forum'],
      [],
      [],
    ]);
    const store = openSqliteStore(join(cluster.dir, 'history.db'), { readOnly: true });
    const stored = await store.conversation('forum');
    await store.close();
    expect(stored!.info).toMatchObject({ kind: 'group', name: 'Forum', service: true });
    const spans = new Map(stored!.members.map((row) => [row.user, row.spans]));
    expect(spans.size).toBe(1301);
    expect([spans.get('founder_7'), spans.get('founder_3'), spans.get('newcomer')]).toEqual([
      [{ joined: 0, left: null }],
      [{ joined: 0, left: 1 }],
      [{ joined: 1, left: null }],
    ]);

    await cluster.end('fanout');
    await cluster.end('archive');
    await cluster.end('web');
    await cluster.wipe();
    await cluster.start('web');
    await vi.waitFor(async () => {
      const again = await cluster.http(service, 'GET', '/conversations/forum');
      expect([again.status, again.body]).toMatchObject([200, { memberCount: 1300, name: 'Forum' }]);
    }, 10_000);
    const page = await cluster.http(service, 'GET', '/conversations/forum/members?after=founder_299&limit=2');
    expect(page.body).toEqual({
      members: [
        { user: 'founder_30', joinedSeq: 0 },
        { user: 'founder_300', joinedSeq: 0 },
      ],
      next: 'founder_300',
    });
  },
);
