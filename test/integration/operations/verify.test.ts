import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scope, startAudit } from '../../../cli/verify/audit.ts';
import { createStreams } from '../../../cli/verify/streams.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { type Amendment, amendedText } from '../../../shared/model/amendment.ts';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { runCli } from '../../support/run-cli.ts';
import { sendMany } from '../../support/sending.ts';

/**
 * The audit of a running deployment. It finds nothing on a cluster that works, and each kind of damage that is done
 * behind the back of the processes.
 */

let cluster: Cluster;
let alice: Welcomed;
const bob = 'bob';
const conversation = directConversation('alice', bob);
const group = 'garden';

beforeAll(async () => {
  cluster = await startCluster({ env: { FANOUT_MAX_MEMBERS: '4', INBOX_MAX_ENTRIES: '100' } });
  alice = await cluster.connect('alice');
  await sendMany(alice, bob, 9, 'direct');
  const token = cluster.token('shop', { scope: 'service' });
  await cluster.http(token, 'POST', '/conversations', { id: group, members: ['alice', 'bob', 'carol'] });
  await sendMany(alice, { conversation: group }, 150, 'small');
  // Leaves and comes back; then the group grows large and shrinks again.
  await cluster.http(token, 'DELETE', `/conversations/${group}/members/carol`);
  await sendMany(alice, { conversation: group }, 5, 'without-carol');
  for (const user of ['carol', 'dave', 'erin'])
    await cluster.http(token, 'PUT', `/conversations/${group}/members/${user}`);
  await sendMany(alice, { conversation: group }, 5, 'large');
  for (const user of ['dave', 'erin']) await cluster.http(token, 'DELETE', `/conversations/${group}/members/${user}`);
  await sendMany(alice, { conversation: group }, 5, 'small-again');
  await cluster.settled();
});
afterAll(() => cluster.stop());

const run = (of: Cluster, ...args: string[]) => runCli(of, ['verify', ...args]);

/** The audit within this process: what the command prints. */
async function audit(of: Cluster, scope: Partial<Scope> = {}) {
  const history = openSqliteStore(join(of.dir, 'history.db'));
  const { redis, keys } = of;
  const stores = {
    redis,
    keys,
    history,
    streams: createStreams(redis, keys),
    historyRetentionMs: 183 * 86_400_000,
    purgeMs: 3_600_000,
  };
  const { done } = startAudit(stores, { withTexts: true, ...scope }, new AbortController().signal);
  try {
    const { totals, findings } = await done;
    return { totals, total: findings.total, findings: findings.named };
  } finally {
    await history.close();
  }
}

test('a cluster that works has nothing missing', async () => {
  const { totals, findings } = await audit(cluster);
  expect(findings).toEqual([]);
  expect(totals).toMatchObject({ conversations: 2, users: 5, notLoaded: 0, deadLetters: 0 });
  expect(totals.seqs).toBeGreaterThan(170);
  const { code, stdout } = await run(cluster);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^conversations +2, \d+ seqs\nold bodies +0 stored, shown to nobody\nusers +5, \d+ entries\n/);
  expect(stdout).toMatch(/findings +0\nnothing is missing\n$/);
});

test('what is on its way is not missing', async () => {
  for (const line of ['archive', 'fanout']) await cluster.end(line);
  await sendMany(alice, { conversation: group }, 20, 'unsettled');
  expect(await audit(cluster)).toMatchObject({ findings: [] });
  for (const line of ['archive', 'fanout']) await cluster.start(line);
  const traffic = new AbortController();
  const busy = await cluster.connect('bob');
  const sending = (async () => {
    for (let i = 0; !traffic.signal.aborted; i++)
      await sendMany(busy, i % 2 === 0 ? 'alice' : { conversation: group }, 10, `busy-${i}`);
  })();
  try {
    for (let i = 0; i < 3; i++) expect(await audit(cluster)).toMatchObject({ findings: [] });
  } finally {
    traffic.abort();
    await sending;
  }
  await cluster.settled();
});

/** A user to whom alice has written nine messages, and their conversation. */
type Victim = { user: string; conversation: string };
type Damage = {
  name: string;
  /** How the kinds of its findings begin, and what they name. */
  finds: (victim: Victim) => string[];
  plant: (victim: Victim) => Promise<unknown>;
};

const state = (last: number, read: number): string => `${last} ${read} 0 1 9 m 9`;
const sql = (of: Cluster, statement: string, parameters: Record<string, string | number> = {}): number | bigint => {
  const db = new DatabaseSync(join(of.dir, 'history.db'), { timeout: 5000 });
  try {
    return db.prepare(statement).run(parameters).changes;
  } finally {
    db.close();
  }
};

/** Puts the nine messages of a conversation into one block, whose texts are changed. */
async function rewrite(id: string, change: (texts: string[]) => string[]): Promise<void> {
  const store = openSqliteStore(join(cluster.dir, 'history.db'));
  const blocks = await store.blocks(id, 1, 9, 'oldest', 9);
  const texts = blocks.flatMap((block) => block.texts);
  expect(texts).toHaveLength(9);
  expect(sql(cluster, 'DELETE FROM blocks WHERE conversation = $id', { id })).toBe(blocks.length);
  const whole = { ...blocks[0]!, lastSeq: 9, lastAt: blocks.at(-1)!.lastAt, texts: change(texts) };
  const nothing = { progress: null, conversations: [], members: [], skips: [], amendments: [] };
  expect(await store.write({ ...nothing, blocks: [whole] })).toEqual(['stored']);
  await store.close();
}

const idIn = (text: string): string => /^\{"id":"([^"]+)"/.exec(text)![1]!;

async function addEntry(user: string, text: string): Promise<void> {
  const { redis, keys } = cluster;
  await redis.hincrby(keys.user(user), 'count', 1);
  const head = await redis.hincrby(keys.user(user), 'head', 1);
  await redis.xadd(keys.inbox(user), `${head}-0`, '1', text);
}

/** Puts another entry into the place of the newest one: a stream takes no position twice, so it is written again. */
const replaceNewest = `
  local entries = redis.call('XRANGE', KEYS[1], '-', '+')
  redis.call('DEL', KEYS[1])
  for i, entry in ipairs(entries) do
    if i == #entries then entry[2] = {ARGV[2], ARGV[3]} end
    redis.call('XADD', KEYS[1], entry[1], unpack(entry[2]))
  end`;

const damages: Damage[] = [
  {
    name: 'an inbox entry that was deleted',
    finds: ({ user, conversation: id }) => [
      `missing_positions  user ${user}  positions 5-5`,
      `wrong_count  user ${user}  9 counted, 8 entries`,
      `wrong_count  user ${user}  9 counted of ${id}, 8 entries`,
      `missing_in_inbox  user ${user}  seqs 5-5 of ${id}`,
    ],
    plant: ({ user }) => cluster.redis.xdel(cluster.keys.inbox(user), '5-0'),
  },
  {
    name: 'a head that was raised',
    finds: ({ user }) => [`missing_positions  user ${user}  positions 10-12`],
    plant: ({ user }) => cluster.redis.hincrby(cluster.keys.user(user), 'head', 3),
  },
  {
    name: 'a head that fell',
    finds: ({ user }) => [`head_behind  user ${user}  head 7, position 9 is given`],
    plant: ({ user }) => cluster.redis.hincrby(cluster.keys.user(user), 'head', -2),
  },
  {
    name: 'a device beyond the head',
    finds: ({ user }) => [`device_ahead  user ${user}  device phone at 50, head 9`],
    plant: ({ user }) => cluster.redis.hset(cluster.keys.devices(user), 'phone', `50 ${Date.now()}`),
  },
  {
    name: 'an inbox that ends too early',
    finds: ({ user, conversation: id }) => [
      `inbox_behind  user ${user}  seq 8 of ${id} is the last one, 9 was settled`,
    ],
    plant: ({ user, conversation: id }) => cluster.redis.hset(cluster.keys.user(user), `c:${id}`, state(8, 0)),
  },
  {
    name: 'a read seq that no message has',
    finds: ({ user, conversation: id }) => [`wrong_unread  user ${user}  read seq 10 of ${id}, which ends at 9`],
    plant: ({ user, conversation: id }) => cluster.redis.hset(cluster.keys.user(user), `c:${id}`, state(9, 10)),
  },
  {
    name: 'an amendment that lies over a message without its entry',
    finds: ({ user, conversation: id }) => [
      `wrong_overlay  user ${user}  amendment 9 lies over seq 5 of ${id}, and its entry is gone`,
    ],
    plant: ({ user, conversation: id }) =>
      cluster.redis.hset(cluster.keys.overlays(user), `${id}:5`, '9 1 e alice 1700000000000 9 {}'),
  },
  {
    name: 'an amendment that does not lie over its message',
    finds: ({ user, conversation: id }) => [
      `wrong_overlay  user ${user}  amendment 9 does not lie over seq 5 of ${id}`,
    ],
    async plant({ user }) {
      const { redis, keys } = cluster;
      const [[position, [, text = '']] = ['', []]] = await redis.xrevrange(keys.inbox(user), '+', '-', 'COUNT', 1);
      const amendment = text.replace(
        /"kind":.*$/,
        '"kind":"restante.amend","body":{"seq":5,"action":"recall","version":1}}',
      );
      await redis.eval(replaceNewest, 1, keys.inbox(user), position, '2', amendment);
    },
  },
  {
    name: 'a message of a conversation of others',
    finds: ({ user }) => [
      expect.stringMatching(
        new RegExp(`^foreign_entry  user ${user}  seq \\d+ of (${group}|${conversation})$`),
      ) as string,
    ],
    async plant({ user }) {
      const [[, [, text = '']] = ['', []]] = await cluster.redis.xrange(cluster.keys.inbox(bob), '-', '+', 'COUNT', 1);
      await addEntry(user, text);
    },
  },
  {
    name: 'an entry that is no message',
    finds: ({ user }) => [`inbox_order  user ${user}  position 10: no message`],
    plant: ({ user }) => addEntry(user, '{}'),
  },
  {
    name: 'a block that was removed',
    finds: ({ conversation: id }) => [`missing_seqs  conversation ${id}  seqs 1-9`],
    plant: async ({ conversation: id }) => sql(cluster, 'DELETE FROM blocks WHERE conversation = $id', { id }),
  },
  {
    name: 'an id that two messages have',
    finds: ({ conversation: id }) => [`doubled_id  conversation ${id}  seq 4`],
    plant: ({ conversation: id }) =>
      rewrite(id, (texts) => texts.map((text, i) => (i === 3 ? text.replace(idIn(text), idIn(texts[2]!)) : text))),
  },
  {
    name: 'a message in the place of another',
    finds: ({ conversation: id }) => [
      `misplaced_text  conversation ${id}  seq 4`,
      `misplaced_text  conversation ${id}  seq 5`,
    ],
    plant: ({ conversation: id }) => rewrite(id, ([a, b, c, d, e, ...more]) => [a!, b!, c!, e!, d!, ...more]),
  },
  {
    name: 'an amendment without its row',
    finds: ({ conversation: id }) => [`missing_amendment  conversation ${id}  seq 9, which amends seq 2`],
    plant: ({ conversation: id }) =>
      rewrite(id, (texts) => [
        ...texts.slice(0, 8),
        texts[8]!.replace(
          /"kind":.*,"class":/,
          '"kind":"restante.amend","body":{"seq":2,"action":"recall","version":1},"class":',
        ),
      ]),
  },
  {
    name: 'an old body that stayed, and an amended text that is newer than its row',
    finds: ({ conversation: id }) => [
      `old_body  conversation ${id}  seq 3, amended by seq 7`,
      `missing_amendment  conversation ${id}  seq 9, which amends seq 5`,
    ],
    async plant({ conversation: id }) {
      const row = (seq: number, amendSeq: number): Amendment => ({
        conversation: id,
        seq,
        amendSeq,
        version: 1,
        action: 'recall',
        by: 'alice',
        at: 1,
        body: null,
      });
      await rewrite(id, (texts) => texts.map((text, i) => (i === 4 ? amendedText(text, row(5, 9)) : text)));
      const store = openSqliteStore(join(cluster.dir, 'history.db'));
      const nothing = { progress: null, conversations: [], members: [], skips: [], blocks: [] };
      await store.write({ ...nothing, amendments: [row(3, 7), row(5, 8)] });
      await store.close();
    },
  },
  {
    name: 'a seq that fell',
    finds: ({ conversation: id }) => [
      `seq_behind  conversation ${id}  seq 6 in Redis, 9 in history`,
      `wrong_unread  user alice  read seq 9 of ${id}, which ends at 6`,
    ],
    plant: ({ conversation: id }) =>
      cluster.redis.hset(cluster.keys.conversation(cluster.keys.partitionOf(id), id), 'seq', 6),
  },
  {
    name: 'a counter of the backlog that is wrong',
    finds: () => ['wrong_unsettled  partition 3  group inbox: 2 by the counters, 0 pending and 0 unread'],
    plant: () => cluster.redis.hincrby(cluster.keys.partitionSlot(3), 'settled:inbox', -2),
  },
  {
    name: 'a stream that ends too early',
    finds: () => [expect.stringMatching(/^stream_behind {2}partition 2 {2}the stream ends at .* 9{13}-0$/) as string],
    plant: async () => sql(cluster, "UPDATE progress SET stream_id = '9999999999999-0' WHERE partition = 2"),
  },
  {
    name: 'a count of dead letters that is wrong',
    finds: () => ['wrong_dead_letters  deployment  0 are open, 1 are counted, 0 are stored'],
    plant: () => cluster.redis.hset(cluster.keys.deadLetters.counts, 'poison', 1),
  },
  {
    name: 'another epoch in history',
    finds: () => [expect.stringMatching(/^other_epoch {2}deployment {2}[\w-]+ in Redis, other in history$/) as string],
    plant: async () => sql(cluster, "UPDATE deployment SET epoch = 'other'"),
  },
];

describe('damage is found:', () => {
  const victims: Victim[] = [];
  let found: string[];

  beforeAll(async () => {
    for (const [i] of damages.entries()) {
      await sendMany(alice, `victim-${i}`, 9, `to-${i}`);
      victims.push({ user: `victim-${i}`, conversation: directConversation('alice', `victim-${i}`) });
    }
    await cluster.settled();
    for (const [i, { plant }] of damages.entries()) await plant(victims[i]!);
    found = (await audit(cluster)).findings.map(({ kind, where, what }) => `${kind}  ${where}  ${what}`);
  });

  test.each(damages.map(({ name, finds }, i) => [name, finds, i] as const))('%s', (_, finds, i) => {
    expect(found).toEqual(expect.arrayContaining(finds(victims[i]!)));
  });

  test('and nothing else', () => {
    expect(found).toHaveLength(damages.flatMap(({ finds }, i) => finds(victims[i]!)).length);
  });

  test('also by asking for one conversation or user alone', async () => {
    const entryGone = victims[0]!;
    const blockGone = victims[damages.findIndex(({ name }) => name === 'a block that was removed')]!;
    const idDoubled = victims[damages.findIndex(({ name }) => name === 'an id that two messages have')]!;
    const [{ code, stdout }, ...reports] = await Promise.all([
      run(cluster, '--json', blockGone.conversation),
      audit(cluster, { user: entryGone.user }),
      audit(cluster, { conversation: entryGone.conversation }),
      // Where blocks lie says nothing about what is in them.
      audit(cluster, { conversation: idDoubled.conversation, withTexts: false }),
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ total: 1, counts: { missing_seqs: 1 } });
    expect(reports.map(({ total }) => total)).toEqual([4, 0, 0]);
    expect(await run(cluster, 'no conversation')).toMatchObject({ code: 1, stdout: '' });
  });
});

test('after a loss nothing is missing but what is gone from history too', async () => {
  const lossy = await startCluster({ env: { INBOX_MAX_ENTRIES: '100' } });
  try {
    const before = await lossy.connect('alice');
    for (const round of [1, 2]) {
      for (const to of ['bob', 'carol', 'dave']) await sendMany(before, to, 5, `${to}-${round}`);
      await lossy.settled();
    }
    await lossy.end('web');
    await lossy.wipe();
    await lossy.start('web');
    // Redis knows one of them again, with a jump of its seqs.
    const again = await lossy.connect('alice');
    await sendMany(again, 'bob', 3, 'after');
    await lossy.settled();
    expect(await audit(lossy)).toMatchObject({ findings: [], totals: { conversations: 3 } });

    const id = directConversation('alice', 'carol');
    expect(sql(lossy, 'DELETE FROM blocks WHERE conversation = $id AND first_seq = 1', { id })).toBe(1);
    expect(await audit(lossy)).toMatchObject({
      findings: [{ kind: 'missing_seqs', where: `conversation ${id}`, what: expect.stringMatching(/^seqs 1-[1-5]$/) }],
    });
  } finally {
    await lossy.stop();
  }
});
