import { describe, expect, test } from 'vitest';
import type { SkipRow } from '../../../shared/history/store.ts';
import type { ConversationInfo } from '../../../shared/model/model.ts';
import { write, block, group, member } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Rows of conversations and of members. */
export function conversationCases(subject: StoreAtHand): void {
  test('walks over the ids of all conversations', async () => {
    const ids = ['B', 'a', 'a-1', 'a_', 'b'];
    await subject.store.write(write({ conversations: ids.toReversed().map((id) => group(id, 1, null)) }));
    expect(await subject.store.conversationIds('', 3)).toEqual(['B', 'a', 'a-1']);
    expect(await subject.store.conversationIds('a-1', 3)).toEqual(['a_', 'b']);
    expect(await subject.store.conversationIds('b', 3)).toEqual([]);
  });

  describe('rows with a version', () => {
    test('conversations only move forward', async () => {
      await subject.store.write(write({ conversations: [group('c', 5, 'five 😀 "quoted"')] }));
      await subject.store.write(write({ conversations: [group('c', 4, 'four')] }));
      await subject.store.write(write({ conversations: [group('c', 5, 'another five')] }));
      expect((await subject.store.conversation('c'))?.info).toEqual(group('c', 5, 'five 😀 "quoted"'));
      await subject.store.write(write({ conversations: [group('c', 6, null)] }));
      expect((await subject.store.conversation('c'))?.info).toEqual(group('c', 6, null));
    });

    test('the creator of a group is kept, also by a row that does not name it', async () => {
      const made = { ...group('c', 1, 'one'), creator: 'alice' };
      await subject.store.write(write({ conversations: [made] }));
      expect((await subject.store.conversation('c'))?.info).toEqual(made);
      await subject.store.write(write({ conversations: [group('c', 2, 'two')] }));
      expect((await subject.store.conversation('c'))?.info).toEqual({ ...group('c', 2, 'two'), creator: 'alice' });
    });

    test('members only move forward', async () => {
      const joined = member('c', 'bob', 5);
      const left = member('c', 'bob', 7, [
        { joined: 0, left: 5 },
        { joined: 9, left: null },
      ]);
      await subject.store.write(write({ members: [joined] }));
      await subject.store.write(write({ members: [left] }));
      await subject.store.write(write({ members: [joined, member('c', 'bob', 7)] }));
      expect(await subject.store.conversationsOf('bob', '', 9)).toEqual([
        { member: left, lastSeq: 0, amendSeq: 0, skips: [] },
      ]);
    });

    test.each([
      ['rising', [1, 2, 3]],
      ['falling', [3, 2, 1]],
      ['mixed', [2, 3, 1]],
    ])('the newest of one call holds, whatever the order: %s', async (_, versions) => {
      await subject.store.write(
        write({
          conversations: versions.map((version) => group('c', version, `${version}`)),
          members: versions.map((version) => member('c', 'bob', version, [{ joined: version, left: null }])),
        }),
      );
      expect(await subject.store.conversation('c')).toEqual({
        info: group('c', 3, '3'),
        members: [member('c', 'bob', 3, [{ joined: 3, left: null }])],
        skips: [],
        recorded: [],
        lastSeq: 0,
        amendSeq: 0,
      });
    });

    test('a row without spans keeps its version', async () => {
      await subject.store.write(write({ members: [member('c', 'bob', 3, [])] }));
      await subject.store.write(write({ members: [member('c', 'bob', 2)] }));
      expect(await subject.store.conversationsOf('bob', '', 9)).toEqual([
        { member: member('c', 'bob', 3, []), lastSeq: 0, amendSeq: 0, skips: [] },
      ]);
    });
  });

  describe('conversations', () => {
    test('a direct conversation with its users', async () => {
      const direct: ConversationInfo = { ...group('d_1'), kind: 'direct', service: true, users: ['alice', 'bob'] };
      const withOneself: ConversationInfo = { ...group('d_2'), kind: 'direct', users: ['bob', 'bob'] };
      await subject.store.write(write({ conversations: [direct, withOneself] }));
      expect((await subject.store.conversation('d_1'))?.info).toEqual(direct);
      expect((await subject.store.conversation('d_2'))?.info).toEqual(withOneself);
    });

    test('the last seq is that of the blocks or of the skips, whichever is higher', async () => {
      const skips: SkipRow[] = [
        { conversation: 'c', fromSeq: 11, toSeq: 1_000_010 },
        { conversation: 'c', fromSeq: 3, toSeq: 4 },
      ];
      await subject.store.write(write({ conversations: [group('c')], blocks: [block('c', 1, 2), block('c', 5, 10)] }));
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(10);
      await subject.store.write(write({ skips }));
      expect(await subject.store.conversation('c')).toMatchObject({ lastSeq: 1_000_010, skips: skips.toReversed() });
      await subject.store.write(write({ blocks: [block('c', 1_000_011, 1_000_011)] }));
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(1_000_011);
    });

    test('a skip that begins where another does keeps the longer range', async () => {
      const skip = (toSeq: number): SkipRow => ({ conversation: 'c', fromSeq: 1, toSeq });
      await subject.store.write(write({ conversations: [group('c')], skips: [skip(5)] }));
      await subject.store.write(write({ skips: [skip(9)] }));
      await subject.store.write(write({ skips: [skip(5)] }));
      expect((await subject.store.conversation('c'))?.skips).toEqual([skip(9)]);
    });

    test('the last seqs of many at once, of those that have any', async () => {
      const skip: SkipRow = { conversation: 'b', fromSeq: 5, toSeq: 9 };
      await subject.store.write(
        write({
          conversations: [group('x')],
          skips: [skip, { ...skip, conversation: 'd' }],
          blocks: [block('a', 1, 3), block('b', 1, 4), block('c', 2, 60), block('c', 42, 42)],
        }),
      );
      expect(await subject.store.lastSeqs(['c', 'x', 'b', 'a', 'nowhere', 'd'])).toEqual(
        new Map([
          ['a', 3],
          ['b', 9],
          ['c', 60],
          ['d', 9],
        ]),
      );
      expect(await subject.store.lastSeqs([])).toEqual(new Map());
      await subject.store.expireBlocks(1_000_000, 99);
      expect(await subject.open().lastSeqs(['c'])).toEqual(new Map([['c', 60]]));
    });

    test('a conversation of many members', async () => {
      const many = Array.from({ length: 2500 }, (_, index) => member('c', `user-${String(index).padStart(4, '0')}`));
      const progress = { partition: 0, streamId: '1-1', completeAt: 1 };
      await subject.store.write(
        write({ progress, conversations: [group('c')], members: [...many.toReversed(), member('d', 'zoe')] }),
      );
      expect((await subject.store.conversation('c'))?.members).toEqual(many);
      expect(await subject.store.progress()).toEqual([progress]);
    });

    test("a user's conversations in pages, in the order of their ids", async () => {
      const ids = ['B', '_a', 'a', 'a-', 'a1', 'b', 'd_x', '-z', '1'];
      await subject.store.write(
        write({
          members: ids.flatMap((id) => [member(id, 'bob', 1, [{ joined: 0, left: 3 }]), member(id, 'bobby')]),
          blocks: ids.map((id) => block(id, 1, id.length)),
          skips: [{ conversation: 'b', fromSeq: 2, toSeq: 8 }],
        }),
      );
      const expected = ids.toSorted((a, b) => (a < b ? -1 : 1));
      const found: string[] = [];
      for (let after = ''; ; after = found.at(-1) ?? '') {
        const page = await subject.store.conversationsOf('bob', after, 4);
        for (const { member: row, lastSeq, skips } of page) {
          expect(row).toEqual(member(row.conversation, 'bob', 1, [{ joined: 0, left: 3 }]));
          expect(lastSeq).toBe(row.conversation === 'b' ? 8 : row.conversation.length);
          expect(skips).toEqual(row.conversation === 'b' ? [{ conversation: 'b', fromSeq: 2, toSeq: 8 }] : []);
        }
        found.push(...page.map(({ member: row }) => row.conversation));
        if (page.length < 4) break;
      }
      expect(found).toEqual(expected);
      expect(await subject.store.conversationsOf('nobody', '', 4)).toEqual([]);
    });
  });
}
