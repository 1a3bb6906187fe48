import { madeBy } from './log.ts';

/**
 * bob's inbox, in a shard whose node may lose the end of its log (log.ts says why). A log is a text of operations:
 *
 *   A<message>                       the message is appended at the next position
 *   G<message>                       a gap is recorded at the next position: history has the message
 *   o<run>                           the shard is opened as it is
 *   O<run>,<epoch>,<head>            it is opened after a loss of its own; positions go on from `head`
 *   N<epoch>                         something was lost elsewhere: clients get a new epoch, every user has to be loaded
 *   L                                bob was loaded from history
 */
export type Inbox = {
  /** The run that the shard is open for. */
  open: number;
  /** What clients are told, and the epoch of the shard's own last loss. */
  epoch: number;
  line: number;
  head: number;
  entries: readonly { position: number; message: string }[];
  /** Bob has to be loaded after a loss of the shard, or after one elsewhere. */
  unloaded: boolean;
  behind: boolean;
};

const empty: Inbox = { open: 1, epoch: 0, line: 0, head: 0, entries: [], unloaded: false, behind: false };

/** The inbox that a log makes. */
export const inboxOf = madeBy(empty, after);

function after(inbox: Inbox, operation: string): Inbox {
  const what = operation.slice(1);
  switch (operation[0]) {
    case 'A':
    case 'G': {
      const position = inbox.head + 1;
      return { ...inbox, head: position, entries: [...inbox.entries, { position, message: what }] };
    }
    case 'o':
      return { ...inbox, open: Number(what) };
    case 'O': {
      const [open, epoch, head] = what.split(',').map(Number) as [number, number, number];
      return { ...inbox, open, epoch, line: epoch, head: Math.max(inbox.head, head), unloaded: true };
    }
    case 'N':
      return { ...inbox, epoch: Number(what), behind: true };
    default:
      return { ...inbox, unloaded: false, behind: false };
  }
}

export function holds(inbox: Inbox, message: string): boolean {
  return inbox.entries.some((entry) => entry.message === message);
}
