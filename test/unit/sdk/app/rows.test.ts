import { describe, expect, test } from 'vitest';
import {
  aroundRow,
  hasAbove,
  keptInSight,
  mostRows,
  movedDown,
  movedUp,
  shownRows,
} from '../../../../sdk/app/model/row-window.ts';
import { rowsOf } from '../../../../sdk/app/model/rows.ts';
import type { ShownMessage, ViewItem } from '../../../../sdk/src/view/message-view.ts';

const noon = new Date(2026, 5, 1, 12).getTime();
const message = (seq: number, sender = 'bob', at = noon + seq * 1000, kind = 'text'): ShownMessage => ({
  id: `${seq}`,
  conversation: 'team',
  seq,
  at,
  sender,
  clientId: `k${seq}`,
  kind,
  body: { text: `m${seq}` },
  class: 'normal',
  status: 'accepted',
});

describe('rows', () => {
  test('the first of a day has its day, and messages of one user that follow each other stand together', () => {
    const items: ViewItem[] = [
      message(1),
      message(2),
      message(3, 'alice'),
      message(4, 'bob', noon + 86_400_000),
      message(5, 'bob', noon + 86_400_000 + 600_000),
    ];
    const rows = rowsOf(items, 'alice', null);
    expect(rows.map(({ day }) => day !== null)).toEqual([true, false, false, true, false]);
    expect(rows.map((row) => 'message' in row && [row.isMine, row.begins, row.ends])).toEqual([
      [false, true, false],
      [false, false, true],
      [true, true, true],
      [false, true, true],
      [false, true, true],
    ]);
  });

  test('the line of new messages stands once, above the first unread one, also if that is a hole', () => {
    const hole: ViewItem = { hole: { fromSeq: 3, toSeq: 4 }, state: 'unloaded' };
    const rows = rowsOf([message(1), message(2), hole, message(5), message(6)], 'alice', 3);
    expect(rows.map(({ isFirstNew }) => isFirstNew)).toEqual([false, false, false, true, false]);
  });

  test('changes of members are notes, and a message that was accepted keeps its row', () => {
    const joined = message(1, 'bob', noon, 'restante.membership');
    expect(rowsOf([joined], 'alice', null)).toMatchObject([{ note: joined }]);
    const { id: _, seq: __, ...rest } = message(2, 'alice');
    const pending = { ...rest, status: 'queued' as const, persisted: true };
    expect(rowsOf([pending], 'alice', null)[0]!.key).toBe(rowsOf([message(2, 'alice')], 'alice', null)[0]!.key);
  });
});

describe('the window of rows', () => {
  const rows = Array.from({ length: 1000 }, (_, index) => index);
  test('shows the newest, never more than it may, and comes to both ends', () => {
    let window = { fromEnd: 0 };
    expect(shownRows(rows, window).at(-1)).toBe(999);
    const seen = new Set<number>();
    for (let turns = 0; hasAbove(rows.length, window); turns++) {
      expect(turns).toBeLessThan(30);
      window = movedUp(rows.length, window);
      const shown = shownRows(rows, window);
      expect(shown.length).toBeLessThanOrEqual(mostRows);
      for (const row of shown) seen.add(row);
    }
    expect(seen).toContain(0);
    while (window.fromEnd > 0) window = movedDown(window);
    expect(shownRows(rows, window).at(-1)).toBe(999);
  });

  test('keeps what is read in sight when more comes, and shows all of a short list', () => {
    const window = movedUp(rows.length, { fromEnd: 0 });
    const before = shownRows(rows, window);
    expect(shownRows([...rows, 1000, 1001], keptInSight(window, 2, rows.length))).toEqual(before);
    // As long as there is room, the new rows come into the page; then they stay out rather than push others out.
    expect(keptInSight({ fromEnd: 0 }, 5, mostRows - 5)).toEqual({ fromEnd: 0 });
    expect(keptInSight({ fromEnd: 0 }, 135, mostRows - 5)).toEqual({ fromEnd: 130 });
    expect(keptInSight({ fromEnd: 0 }, 5, mostRows)).toEqual({ fromEnd: 5 });
    expect(shownRows([1, 2, 3], { fromEnd: 500 })).toEqual([1, 2, 3]);
  });

  test.each([0, 1, 99, 100, 500, 950, 999])('has row %i in it when it is looked for', (index) => {
    expect(shownRows(rows, aroundRow(rows.length, index))).toContain(index);
  });
});
