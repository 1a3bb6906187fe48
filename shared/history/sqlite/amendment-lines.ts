import type { Amendment } from '../../model/amendment.ts';

/**
 * Rows of amendments by rising seq from one text, a line each: `seq amendSeq version at action by body`. The body of a
 * recall is empty. Only a body, which is the last field, holds spaces; it is JSON and holds no raw line end.
 *
 * A page of history may have hundreds of amended messages. SQLite makes one text of them, and the thread passes it on,
 * for a quarter of what as many objects cost.
 */
export function readAmendmentLines(conversation: string, lines: string | null): Amendment[] {
  if (lines === null) return [];
  const rows = lines.split('\n').map((line) => readLine(conversation, line));
  // SQLite walks them in this order, and does not promise it.
  return rows.sort((one, other) => one.seq - other.seq);
}

function readLine(conversation: string, line: string): Amendment {
  let at = 0;
  const field = (): string => {
    const from = at;
    const end = line.indexOf(' ', from);
    at = end + 1;
    return line.slice(from, end);
  };
  return {
    conversation,
    seq: Number(field()),
    amendSeq: Number(field()),
    version: Number(field()),
    at: Number(field()),
    action: field() as Amendment['action'],
    by: field(),
    body: at === line.length ? null : line.slice(at),
  };
}
