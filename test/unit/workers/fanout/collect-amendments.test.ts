import { expect, test } from 'vitest';
import type { AmendedEntry } from '../../../../shared/model/entry.ts';
import { decodeSpans } from '../../../../shared/model/spans.ts';
import { emptyBatch } from '../../../../workers/fanout/batch.ts';
import { createCollecting } from '../../../../workers/fanout/collect.ts';
import { createRecipients } from '../../../../workers/fanout/recipients.ts';

/** Who is told what of an amendment (seq 9 amends seq 5). */

const spans = {
  stayed: '0-',
  later: '6-',
  left: '0-7',
  returned: '0-6,8-',
  before: '0-4',
  leftAndBack: '5-6,9-',
};

async function collected(change: Partial<AmendedEntry> = {}, isPoison = false) {
  const recipients = createRecipients({
    read: async () => {
      throw new Error('not asked');
    },
    members: async () => ({
      version: 1,
      spans: new Map(Object.entries(spans).map(([user, text]) => [user, decodeSpans(text)])),
    }),
  });
  const bury = async (): Promise<void> => {
    throw new Error('nothing is buried');
  };
  const batch = emptyBatch();
  const { collect, collectGap } = createCollecting({ recipients, bury });
  await (isPoison ? collectGap : collect)(
    0,
    {
      type: 'amended',
      streamId: '1-0',
      conversation: 'g',
      seq: 9,
      prev: 8,
      version: 1,
      sender: 'stayed',
      device: '*',
      class: 'normal',
      users: null,
      way: 'inboxes',
      at: 1,
      awaitedBy: '',
      short: false,
      tail: '"sender":"stayed","clientId":"c","kind":"restante.amend","body":{"seq":5,"action":"edit","version":1}}',
      target: 5,
      targetVersion: 1,
      action: 'edit',
      body: '{}',
      ...change,
    },
    batch,
  );
  return {
    large: batch.large.length,
    told: batch.runs.map(
      ({ user, appends }) => `${user}: ${appends.map(({ role, sees }) => `${role}${sees ? ' whole' : ''}`).join(', ')}`,
    ),
  };
}

test('members get it, with the body if they see the message; who has left is told that it was amended', async () => {
  expect((await collected()).told).toEqual([
    'stayed: quiet whole',
    'later: quiet',
    'returned: quiet whole',
    'left: over',
  ]);
});

test('both users of a direct conversation get it', async () => {
  expect((await collected({ users: ['a', 'b'] })).told).toEqual(['a: quiet whole', 'b: quiet whole']);
  expect((await collected({ users: ['a', 'a'] })).told).toEqual(['a: quiet whole']);
});

test('in a large group it is published, and stands in no inbox', async () => {
  expect(await collected({ way: 'large', prev: 3 })).toEqual({ large: 1, told: [] });
});

test('but it covers a message that inboxes got before the group was large', async () => {
  expect(await collected({ way: 'large', prev: 6 })).toEqual({
    large: 1,
    told: ['stayed: over whole', 'returned: over whole', 'left: over'],
  });
});

test('in the place of a poison one there is a gap, and what it amends is withheld', async () => {
  expect((await collected({}, true)).told).toEqual([
    'stayed: member, over',
    'later: member',
    'returned: member, over',
    'left: over',
  ]);
  expect((await collected({ way: 'large', prev: 3 }, true)).told).toEqual([]);
});
