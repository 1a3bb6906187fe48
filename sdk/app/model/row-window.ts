/** The rows that are in the page: never more than this many, wherever the reader is. */
export const mostRows = 200;
const step = 60;

/**
 * Where the window ends among all rows, counted from the newest: 0 shows the newest. Counted from there, because that
 * is where rows stay while older ones are loaded.
 */
export type RowWindow = { fromEnd: number };

export const atNewest: RowWindow = { fromEnd: 0 };

export const shownRows = <Row>(rows: readonly Row[], { fromEnd }: RowWindow): readonly Row[] => {
  const end = Math.max(Math.min(rows.length, mostRows), rows.length - fromEnd);
  return rows.slice(Math.max(0, end - mostRows), end);
};

/** Whether there are rows above, or below, that the window does not show. */
export const hasAbove = (count: number, { fromEnd }: RowWindow): boolean => count - fromEnd > mostRows;
export const hasBelow = ({ fromEnd }: RowWindow): boolean => fromEnd > 0;

export const movedUp = (count: number, { fromEnd }: RowWindow): RowWindow => ({
  fromEnd: Math.max(0, Math.min(count - mostRows, fromEnd + step)),
});

export const movedDown = ({ fromEnd }: RowWindow): RowWindow => ({ fromEnd: Math.max(0, fromEnd - step) });

/** Keeps the rows in the page when `added` new ones came below the `count` of before, as long as there is no room. */
export const keptInSight = ({ fromEnd }: RowWindow, added: number, count: number): RowWindow => {
  const room = Math.max(0, mostRows - count);
  return { fromEnd: Math.max(0, fromEnd + added - room) };
};

/** With the row of this index in the middle. */
export const aroundRow = (count: number, index: number): RowWindow => ({
  fromEnd: Math.max(0, Math.min(Math.max(0, count - mostRows), count - index - mostRows / 2)),
});
