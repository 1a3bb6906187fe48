import { expect, test } from 'vitest';
import { startCluster } from '../../support/cluster.ts';
import { runCli } from '../../support/run-cli.ts';
import { searchingOn } from '../../support/searching.ts';

test('SEARCH_URL=off: there is no such route and no such feature, and the process is idle', async () => {
  const cluster = await startCluster({ search: true, env: { SEARCH_URL: 'off' } });
  try {
    const on = searchingOn(cluster);
    const { welcome } = await cluster.connect('alice');
    expect(welcome.features).not.toContain('search');
    expect(await on.ask(cluster.token('alice'), { q: 'hello' })).toMatchObject({
      status: 404,
      body: { error: { message: 'no such route' } },
    });
    expect(await cluster.ready('search-1')).toBe(true);
    await on.send('alice', { to: 'bob' }, 'hello');
    await cluster.settled();
    expect(await runCli(cluster, ['reindex'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'no search process answers: start one, and call this command again\n',
    });
    expect(await cluster.redis.exists(cluster.keys.searchNotices)).toBe(0);
  } finally {
    await cluster.stop();
  }
}, 60_000);

test('searches have a budget of their own', async () => {
  const cluster = await startCluster({ search: true, env: { RATE_LIMITS: 'search=2/1m' } });
  try {
    const on = searchingOn(cluster);
    expect((await cluster.connect('alice')).welcome.features).toContain('search');
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await on.ask(cluster.token('alice'), { q: 'hello' })).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect((await on.ask(on.service(), { q: 'hello' })).status).toBe(200);
  } finally {
    await cluster.stop();
  }
}, 60_000);
