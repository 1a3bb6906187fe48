import type { ClientId, Level } from '../recording.ts';
import type { AmendOutcome, Attempt, Confirmation, Connection, Facts, Outcome } from './facts.ts';
import { placeOf, type RawGap, type RawItem, type RawMessage, type Sightings } from './sightings.ts';

type Raw = Record<string, unknown> & { type: string; id?: string; re?: string };

/** What a connection has asked for and not been answered yet. */
type Asked = {
  line: number;
  frame: Raw;
  attempt?: Attempt;
  amending?: Attempt<AmendOutcome>;
  confirmation?: Confirmation;
};

/** Codes that say that the outcome is open. Any other refusal means that nothing was done. */
const openOutcome = new Set(['unknown_outcome', 'internal']);

/** The answer to a send, by frame or by HTTP, as an outcome. */
export function outcomeOf(line: number, answer: Record<string, unknown>, code: string | null): Outcome {
  if (code === null) {
    const { id, conversation, seq, at } = answer['message'] as {
      id: string;
      conversation: string;
      seq: number;
      at: number;
    };
    const level = (answer['level'] as Level | undefined) ?? 'accepted';
    return { kind: 'accepted', line, id, conversation, seq, at, duplicate: answer['duplicate'] === true, level };
  }
  return openOutcome.has(code) ? { kind: 'unknown', line, code } : { kind: 'refused', line, code };
}

/** The answer to an amendment, by frame or by HTTP, as an outcome. */
export function amendOutcomeOf(line: number, answer: Record<string, unknown>, code: string | null): AmendOutcome {
  if (code === null) return { kind: 'amended', line, amendSeq: Number(answer['amendSeq']), at: Number(answer['at']) };
  return openOutcome.has(code) ? { kind: 'unknown', line, code } : { kind: 'refused', line, code };
}

export const targetOf = (raw: Record<string, unknown>): string =>
  raw['to'] === undefined ? `in ${String(raw['conversation'])}` : `to ${String(raw['to'])}`;

/** Frames of all connections, in the order of the recording. */
export function createFrameReader(facts: Facts, sightings: Sightings) {
  const connections = new Map<string, { connection: Connection; asked: Map<string, Asked> }>();

  const keyOf = ({ user, device, connection }: ClientId): string => `${user}/${device}#${connection}`;
  function of(client: ClientId, line: number): { connection: Connection; asked: Map<string, Asked> } {
    const key = keyOf(client);
    const known = connections.get(key);
    if (known !== undefined) return known;
    const { user, device } = client;
    const connection: Connection = {
      key,
      user,
      device,
      opened: line,
      closed: null,
      mode: 'push',
      hello: null,
      welcome: null,
      items: [],
      gaps: [],
      confirmed: [],
      answered: [],
      readToEnd: null,
    };
    const made = { connection, asked: new Map<string, Asked>() };
    connections.set(key, made);
    const name = `${user}/${device}`;
    const owner = facts.devices.get(name);
    if (owner === undefined) facts.devices.set(name, { user, device, connections: [connection] });
    else owner.connections.push(connection);
    return made;
  }

  function confirm(connection: Connection, line: number, position: number, id: string | undefined): Confirmation {
    const confirmation = { line, position, id: id ?? null, refused: false };
    connection.confirmed.push(confirmation);
    return confirmation;
  }

  function sent(line: number, client: ClientId, text: string): void {
    const { connection, asked } = of(client, line);
    const frame = JSON.parse(text) as Raw;
    const ask: Asked = { line, frame };
    if (frame.type === 'hello') {
      connection.mode = String(frame['mode'] ?? 'push');
      connection.hello = {
        line,
        position: (frame['position'] as number | undefined) ?? null,
        epoch: (frame['epoch'] as string | undefined) ?? null,
      };
    } else if (frame.type === 'send') {
      ask.attempt = { line, connection, outcome: null };
      const key = { sender: connection.user, clientId: String(frame['clientId']), target: targetOf(frame) };
      sightings.send(key, frame).attempts.push(ask.attempt);
    } else if (frame.type === 'amend') {
      ask.amending = { line, connection, outcome: null };
      const key = {
        by: connection.user,
        clientId: String(frame['clientId'] ?? `#${line}`),
        conversation: String(frame['conversation']),
        seq: Number(frame['seq']),
      };
      sightings.amend(key, frame).attempts.push(ask.amending);
    } else if (frame.type === 'received') {
      ask.confirmation = confirm(connection, line, Number(frame['position']), frame.id);
    } else if (frame.type === 'sync') {
      ask.confirmation = confirm(connection, line, Number(frame['after']), frame.id);
    }
    if (frame.id !== undefined) asked.set(frame.id, ask);
  }

  function refused(line: number, connection: Connection, ask: Asked, code: string): void {
    if (ask.attempt !== undefined) ask.attempt.outcome = outcomeOf(line, {}, code);
    if (ask.amending !== undefined) ask.amending.outcome = amendOutcomeOf(line, {}, code);
    if (ask.confirmation !== undefined) ask.confirmation.refused = true;
    const epoch = ask.frame['epoch'];
    if (ask.frame.type === 'sync' && typeof epoch === 'string')
      facts.epochAsks.push({ line, user: connection.user, asked: epoch, answer: null, code });
  }

  function welcomed(line: number, connection: Connection, frame: Raw): void {
    const epoch = String(frame['epoch']);
    sightings.epoch(epoch, line);
    connection.welcome = {
      line,
      epoch,
      position: Number(frame['position']),
      head: Number(frame['head']),
      reset: frame['reset'] === true,
      lostSince: (frame['lostSince'] as number | undefined) ?? null,
    };
    const { conversations } = frame['unread'] as {
      conversations: {
        conversation: string;
        unread: number;
        readSeq: number;
        lastSeq: number;
        last: RawMessage | null;
      }[];
    };
    for (const { conversation, unread, readSeq, lastSeq, last } of conversations) {
      facts.summaries.push({
        line,
        from: 'welcome',
        user: connection.user,
        conversation,
        unread,
        readSeq,
        lastSeq,
        final: facts.dumpBegun !== null,
      });
      if (last !== null)
        sightings.message(last, placeOf(connection, 'last', line, connection.hello?.line ?? line, epoch));
    }
  }

  function paged(line: number, connection: Connection, frame: Raw, ask: Asked): void {
    const epoch = String(frame['epoch']);
    sightings.epoch(epoch, line);
    const place = placeOf(connection, 'page', line, ask.line, epoch);
    for (const item of frame['items'] as RawItem[]) sightings.item(item, place);
    for (const gap of frame['gaps'] as RawGap[]) sightings.gap(gap, { line, user: connection.user, connection, epoch });
    if (frame['more'] === false) connection.readToEnd = line;
    const named = ask.frame['epoch'];
    if (typeof named === 'string')
      facts.epochAsks.push({ line, user: connection.user, asked: named, answer: epoch, code: null });
  }

  function answered(line: number, connection: Connection, frame: Raw, ask: Asked): void {
    if (frame.type === 'error') return refused(line, connection, ask, String(frame['code']));
    if (frame.type === 'accepted' && ask.attempt !== undefined) ask.attempt.outcome = outcomeOf(line, frame, null);
    else if (frame.type === 'page') paged(line, connection, frame, ask);
    else if (frame.type === 'pong') sightings.epoch(String(frame['epoch']), line);
    else if (frame.type === 'read')
      facts.reads.push({
        line,
        user: connection.user,
        conversation: String(frame['conversation']),
        seq: Number(frame['seq']),
      });
    else if (frame.type === 'amended' && ask.amending !== undefined)
      ask.amending.outcome = amendOutcomeOf(line, frame, null);
    else if (frame.type === 'history') {
      const messages = frame['messages'] as RawMessage[];
      for (const message of messages) sightings.message(message, placeOf(connection, 'history', line, ask.line));
      facts.pages.push({
        line,
        conversation: String(frame['conversation']),
        user: connection.user,
        seqs: messages.map(({ seq }) => seq),
        absent: frame['absent'] as { fromSeq: number; toSeq: number }[],
        final: facts.dumpBegun !== null,
      });
    }
  }

  return {
    opened: (line: number, client: ClientId): void => void of(client, line),
    closed(line: number, client: ClientId): void {
      of(client, line).connection.closed = line;
    },
    sent,
    received(line: number, at: number, client: ClientId, text: string): void {
      const { connection, asked } = of(client, line);
      const frame = JSON.parse(text) as Raw;
      if (frame.type === 'welcome') welcomed(line, connection, frame);
      const place = placeOf(connection, 'deliver', line, connection.hello?.line ?? line);
      if (frame.type === 'deliver') for (const item of frame['items'] as RawItem[]) sightings.item(item, place);
      else if (frame.type === 'gap')
        sightings.gap(frame as unknown as RawGap, { line, user: connection.user, connection, epoch: place.epoch });
      const ask = frame.re === undefined ? undefined : asked.get(frame.re);
      if (ask === undefined) return;
      asked.delete(frame.re!);
      connection.answered.push({ asked: ask.line, answered: line, answeredAt: at });
      answered(line, connection, frame, ask);
    },
  };
}
