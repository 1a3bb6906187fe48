import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { runCli } from '../../support/run-cli.ts';
import { sendMany } from '../../support/sending.ts';
import { createUnloader } from '../../support/unloading.ts';

/** The operator's commands, as they are typed. */

let cluster: Cluster;
let alice: Welcomed;
let conversation: string;
beforeAll(async () => {
  cluster = await startCluster({ jobs: true, env: { FANOUT_MAX_MEMBERS: '3' } });
  alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 5);
  await cluster.settled();
  conversation = alice.all('accepted')[0]!.message.conversation;
});
afterAll(() => cluster.stop());

const run = (...args: string[]) => runCli(cluster, args, { FANOUT_MAX_MEMBERS: '3' });

test('`partitions` lists every partition; `surge` shows the mode and sets it', async () => {
  const { code, stdout } = await run('partitions');
  expect(code).toBe(0);
  expect(stdout.split('\n').filter((line) => line.endsWith('calm'))).toHaveLength(4);
  expect(JSON.parse((await run('partitions', '--json')).stdout)).toHaveLength(4);
  expect((await run('surge')).stdout).toMatch(/^mode auto\npartition 0 {2}calm/);
  expect((await run('surge', 'calm')).stdout).toMatch(/^mode calm/);
  expect((await run('surge', 'storm')).code).toBe(1);
  expect((await run('surge', 'auto')).stdout).toMatch(/^mode auto/);
});

test('`inbox` shows what an inbox holds, its devices, and that a user has none', async () => {
  const { code, stdout } = await run('inbox', 'bob');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^bob {2}head 5 {2}5 entries/);
  expect(stdout).toContain(`conversation  ${conversation}  last seq 5  read 0  joined after 0  holds 5`);
  expect((await run('inbox', 'alice')).stdout).toMatch(/device {8}phone {2}position \d+ {2}online at [0-9a-f]{12}/);
  expect(await run('inbox', 'nobody')).toMatchObject({ code: 1, stdout: expect.stringContaining('has no inbox') });
  expect((await run('inbox', 'no name')).code).toBe(1);
});

test('`explain` describes a conversation, and fails for one that does not exist', async () => {
  expect((await run('explain', conversation)).stdout).toMatch(/direct {2}2 members {2}last seq 5/);
  expect((await run('explain', 'nowhere')).code).toBe(1);
});

test('`forecast` names what memory is used for, and needs more of it for more users', async () => {
  const { code, stdout } = await run('forecast', '--json');
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as {
    uses: { kind: string; keys: number; bytes: number }[];
    usedBytes: number;
    wantedBytes: number;
    fits: boolean;
  };
  expect(report.uses.find(({ kind }) => kind === 'inbox')).toMatchObject({ keys: 2 });
  expect(report.fits).toBe(true);
  const tenfold = JSON.parse((await run('forecast', '--json', '--users', '10x', '--retention', '30')).stdout) as {
    wantedBytes: number;
  };
  expect(tenfold.wantedBytes).toBeGreaterThan(report.wantedBytes);
  expect((await run('forecast')).stdout).toContain('nothing limits it: set maxmemory');
  for (const wrong of [
    ['--users', 'many'],
    ['--retention', '0'],
    ['--samples', '0'],
  ])
    expect((await run('forecast', ...wrong)).code).toBe(1);
});

test('`explain` says where the messages of a group go as it grows large and small again', async () => {
  const members = ['alice', 'bob', 'carol'];
  const token = cluster.token('shop', { scope: 'service' });
  await cluster.http(token, 'POST', '/conversations', { id: 'team', members });
  expect((await run('explain', 'team')).stdout).toMatch(
    /into an inbox of each member \(3 members are not more than 3\)\n.*3 inbox entries/,
  );
  await cluster.http(token, 'PUT', '/conversations/team/members/dave');
  await cluster.settled('inbox');
  // alice is online: her gateway follows the group once it has heard of it.
  await vi.waitFor(async () => {
    expect((await run('explain', 'team')).stdout).toMatch(
      /into no inbox since seq 1 \(4 members are more than 3\).*\n.*received by 1 gateway with/,
    );
  }, 10_000);
  expect((await run('inbox', 'dave')).stdout).toMatch(/conversation {2}team {2}last seq 1 .* large/);
  await cluster.http(token, 'DELETE', '/conversations/team/members/dave');
  expect((await run('explain', 'team')).stdout).toMatch(/into an inbox of each member/);
});

test('a conversation that is unloaded is explained, and verified like others', async () => {
  await sendMany(alice, 'dave', 2, 'dave');
  const { conversation: id } = alice.all('accepted').at(-1)!.message;
  await cluster.settled();
  const unloader = createUnloader(cluster);
  // The jobs process walks too, and both share the place that a walk has come to.
  await unloader.unload(id);
  expect(await run('explain', id)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/is unloaded: .* last seq 2,/),
  });
  expect(await run('verify', id)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^conversations +1, 2 seqs\n.*\nnothing is missing\n$/s),
  });
  expect(await unloader.isUnloaded(id)).toBe(true);
  await unloader.close();
});

test('`amend` recalls and edits a message, and tells what was in force', async () => {
  await sendMany(alice, 'carol', 2, 'amended');
  const { conversation: with_ } = alice.all('accepted').at(-1)!.message;
  const edited = await run('amend', with_, '1', '--body', '{"text":"of the house"}');
  expect(edited).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1 edited by operator at .*, version 1, as message 3\n$/),
  });
  const recalled = await run('amend', with_, '1', '--recall', '--by', 'desk', '--json');
  expect(JSON.parse(recalled.stdout)).toMatchObject({ action: 'recall', by: 'desk', version: 2, amendSeq: 4 });
  expect((await run('amend', with_, '1', '--recall')).stdout).toMatch(/^it is in force already: .* by desk at /);
  const { messages } = await alice.request({ type: 'history', to: 'carol', after: 0, limit: 2 }, 'history');
  expect(messages.map(({ body }) => body)).toEqual([null, 1]);
  for (const wrong of [
    ['amend', with_, '1'],
    ['amend', with_, '1', '--recall', '--body', '1'],
    ['amend', with_, '1', '--body', '{'],
    ['amend', with_, '1', '--body', '2'],
    ['amend', with_, '99', '--recall'],
    ['amend', with_, '--recall'],
  ])
    expect((await run(...wrong)).code).toBe(1);
});
