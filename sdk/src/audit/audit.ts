import type { Client } from '../client/api.ts';
import type { Message } from '../wire.ts';

/** What a server must never do, as its client sees it. */
export type Violation =
  /** A message has another id than before, in one epoch. */
  | { kind: 'contradiction'; conversation: string; seq: number; ids: [string, string] }
  /** One clientId was accepted, or came, as two messages. */
  | { kind: 'doubled'; conversation: string; clientId: string; seqs: [number, number] }
  /** A later message of the conversation was there before. */
  | { kind: 'disorder'; conversation: string; seq: number; after: number };

export type Audit = {
  readonly violations: readonly Violation[];
  /** How many messages were looked at. */
  readonly seen: number;
  close(): void;
};

type Known = { bySeq: Map<number, string>; byClientId: Map<string, number>; highest: number };

/**
 * Checks on what a client got that the server keeps its promises: one order in each conversation, each message once,
 * and no seq for two messages. After a reset it begins anew, because seqs may then mean something different.
 */
export function audit(client: Pick<Client, 'on'>, report?: (violation: Violation) => void): Audit {
  const violations: Violation[] = [];
  let known = new Map<string, Known>();
  let seen = 0;

  const note = (violation: Violation): void => {
    violations.push(violation);
    report?.(violation);
  };

  const knownOf = (conversation: string): Known => {
    let found = known.get(conversation);
    if (found === undefined) known.set(conversation, (found = { bySeq: new Map(), byClientId: new Map(), highest: 0 }));
    return found;
  };

  const take = ({ conversation, seq, id, sender, clientId }: Message, live: boolean): void => {
    seen++;
    const { bySeq, byClientId, highest } = knownOf(conversation);
    const before = bySeq.get(seq);
    // The answer to an amendment names no id.
    if (before !== undefined && before !== id && before !== '' && id !== '')
      note({ kind: 'contradiction', conversation, seq, ids: [before, id] });
    bySeq.set(seq, id);
    const other = byClientId.get(`${sender} ${clientId}`);
    if (other !== undefined && other !== seq) note({ kind: 'doubled', conversation, clientId, seqs: [other, seq] });
    byClientId.set(`${sender} ${clientId}`, seq);
    if (!live) return;
    if (seq <= highest) note({ kind: 'disorder', conversation, seq, after: highest });
    knownOf(conversation).highest = Math.max(highest, seq);
  };

  const ends = [
    client.on('message', ({ message, live }) => take(message, live)),
    client.on('reset', () => (known = new Map())),
  ];
  return {
    violations,
    get seen() {
      return seen;
    },
    close() {
      for (const end of ends) end();
    },
  };
}
