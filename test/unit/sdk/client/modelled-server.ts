import type { PlayedPeer } from '../../../../sdk/src/testing/played-server.ts';
import type { Frame, Message } from '../../../../sdk/src/wire.ts';
import { message } from '../intake/played-intake.ts';

/**
 * A server that keeps its promises on a network that does not: one conversation, one device, in one process. Each
 * `step` does one thing, chosen by `chance`. It delays, repeats, refuses, drops and closes, and reorders nothing.
 */

type Entry = { position: number } & ({ message: Message } | { fromSeq: number; toSeq: number });

type Connection = {
  peer: PlayedPeer;
  processed: number;
  /** Everything up to here was pushed. Null before the welcome. */
  pushed: number | null;
  /** Own messages below it are of the backlog. */
  head: number;
  received: number;
};

export type ModelledServer = ReturnType<typeof modelServer>;

export function modelServer(chance: (most: number) => number, calm: () => boolean, sees: (send: Frame) => void) {
  const log: Message[] = [];
  const accepted = new Map<string, Message>();
  let inbox: Entry[] = [];
  let position = 0;
  let connection: Connection | null = null;
  /** Positions that the client said it has. */
  const received: number[] = [];

  /** Where each message was put into the inbox. */
  const positions: { position: number; message: Message }[] = [];

  const append = (more: Partial<Message>): Message => {
    const made = message(log.length + 1, more);
    log.push(made);
    positions.push({ position: ++position, message: made });
    inbox.push({ position, message: made });
    return made;
  };

  /** Edits a message. History gives the new text from then on; its inbox entry keeps the old one. */
  const amend = (): void => {
    const target = log[chance(Math.max(1, log.length))];
    if (target === undefined || target.kind !== 'text' || target.sender !== 'bob') return;
    const version = (target.amended?.action === 'edit' ? target.amended.version : 0) + 1;
    const body = `edit ${version} of ${target.seq}`;
    const { seq, at } = append({
      kind: 'restante.amend',
      body: { seq: target.seq, action: 'edit', version, body },
    });
    log[target.seq - 1] = { ...target, body, amended: { action: 'edit', by: 'bob', at, version, amendSeq: seq } };
  };

  const lucky = (odds: number): boolean => !calm() && chance(odds) === 0;

  const answerSend = (peer: PlayedPeer, frame: Frame): void => {
    const { id, clientId, body, after } = frame;
    sees(frame);
    const refuse = (code: string): void =>
      peer.say({ type: 'error', re: id, clientId, code, message: code, retryable: true });
    const known = accepted.get(clientId as string);
    if (known === undefined) {
      if (after !== undefined && !accepted.has(after as string)) return refuse('out_of_order');
      if (lucky(6)) return refuse('retry_later');
    }
    const made = known ?? append({ sender: 'alice', clientId: clientId as string, body });
    accepted.set(made.clientId, made);
    // The answer is lost with the connection, or is not given in time.
    if (lucky(8)) return drop();
    if (lucky(8)) return refuse('unknown_outcome');
    const { seq, at } = made;
    peer.say({
      type: 'accepted',
      re: id,
      clientId,
      message: { id: made.id, conversation: 'c', seq, at },
      level: 'accepted',
    });
  };

  const answerHistory = (peer: PlayedPeer, frame: Frame): void => {
    const { id, after, before, limit = 20 } = frame as Frame & { after?: number; before?: number; limit?: number };
    if (lucky(5)) return peer.say({ type: 'error', re: id, code: 'retry_later', message: '', retryable: true });
    const rising = log.filter(({ seq }) => seq > (after ?? 0) && seq < (before ?? Infinity));
    const page = after === undefined ? rising.toReversed().slice(0, limit) : rising.slice(0, limit);
    peer.say({
      type: 'history',
      re: id,
      conversation: 'c',
      messages: page,
      more: page.length < rising.length,
      absent: [],
    });
  };

  const answerSync = (peer: PlayedPeer, frame: Frame): void => {
    const rest = inbox.filter((entry) => entry.position > Number(frame['after']));
    const page = rest.slice(0, Number(frame['limit']));
    peer.say({
      type: 'page',
      re: frame['id'],
      items: page.flatMap((entry) => ('message' in entry ? [entry] : [])),
      gaps: page.flatMap((entry) => ('message' in entry ? [] : [{ ...entry, conversation: 'c' }])),
      next: page.at(-1)?.position ?? Number(frame['after']),
      more: page.length < rest.length,
      epoch: 'e1',
    });
  };

  const answer = (on: Connection, frame: Frame): void => {
    const { peer } = on;
    if (frame.type === 'hello') {
      on.pushed = Number(frame['position']);
      on.head = position;
      on.received = on.pushed;
      received.push(on.received);
      peer.say({
        type: 'welcome',
        re: frame['id'],
        user: 'alice',
        device: 'phone',
        epoch: 'e1',
        position: on.pushed,
        head: position,
        unread: { total: 0, conversations: [], more: false },
        features: chance(2) === 0 ? ['ordered-sends'] : [],
        heartbeatMs: 25_000,
        expiresAt: 4_102_444_800_000,
        limits: {},
      });
    } else if (frame.type === 'send') answerSend(peer, frame);
    else if (frame.type === 'history') answerHistory(peer, frame);
    else if (frame.type === 'sync') answerSync(peer, frame);
    else if (frame.type === 'ping') peer.say({ type: 'pong', re: frame['id'], head: position, epoch: 'e1' });
    else if (frame.type === 'received') {
      on.received = Number(frame['position']);
      received.push(on.received);
    }
  };

  const drop = (): void => {
    connection?.peer.end(chance(2) === 0 ? 1006 : 1012);
    connection = null;
  };

  /** Pushes what is next; own messages that were sent on this connection are skipped. */
  const push = (on: Connection): boolean => {
    const from = lucky(6) ? on.received : on.pushed!;
    const next = inbox.filter((entry) => entry.position > from).slice(0, 1 + chance(4));
    if (next.length === 0) return false;
    on.pushed = Math.max(on.pushed!, next.at(-1)!.position);
    const isOwn = (entry: Entry): boolean =>
      'message' in entry && entry.message.sender === 'alice' && entry.position > on.head;
    let items: Entry[] = [];
    const flush = (): void => {
      if (items.length > 0) on.peer.say({ type: 'deliver', items });
      items = [];
    };
    for (const entry of next) {
      if ('message' in entry) {
        if (!isOwn(entry)) items.push(entry);
      } else {
        flush();
        on.peer.say({ type: 'gap', conversation: 'c', ...entry });
      }
    }
    flush();
    return true;
  };

  /** What the inbox holds too much of becomes a gap at the position of its last entry. */
  const cut = (): void => {
    const pushed = connection?.pushed ?? 0;
    const rest = inbox.filter((entry) => entry.position > pushed && 'message' in entry).slice(0, 2 + chance(5));
    const first = rest[0];
    if (first === undefined || !('message' in first)) return;
    // Only a run without another gap between.
    const run = rest.filter((entry, index) => entry.position === first.position + index);
    const last = run.at(-1)! as { position: number; message: Message };
    const gap: Entry = { position: last.position, fromSeq: first.message.seq, toSeq: last.message.seq };
    inbox = [...inbox.filter((entry) => !run.includes(entry)), gap].toSorted((a, b) => a.position - b.position);
  };

  return {
    log,
    received,
    connected(peer: PlayedPeer): void {
      connection?.peer.end(4409);
      connection = { peer, processed: 0, pushed: null, head: 0, received: 0 };
    },
    positions,
    say: (body: unknown) => append({ body }),
    amend,
    cut,
    drop,
    /** Handles a frame or pushes something. False if there was nothing to do. */
    step(): boolean {
      const on = connection;
      if (on === null) return false;
      const frame = on.peer.frames[on.processed];
      if (frame !== undefined && (on.pushed === null || chance(2) === 0)) {
        on.processed++;
        answer(on, frame);
        return true;
      }
      return on.pushed !== null && (push(on) || frame !== undefined);
    },
  };
}
