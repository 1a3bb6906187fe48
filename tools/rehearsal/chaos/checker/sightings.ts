import { hash } from 'node:crypto';
import type { Amend, Connection, Facts, Gap, Message, Path, Send, Sighting } from './facts.ts';

/** Raw messages, items and gaps, as JSON gives them. */
export type RawMessage = {
  id: string;
  conversation: string;
  seq: number;
  sender: string;
  clientId: string;
  kind: string;
  body: unknown;
  at: number;
  class: string;
  amended?: { action: string; amendSeq?: number };
};
export type RawItem = { position?: number; message: RawMessage };
export type RawGap = { position: number; conversation: string; fromSeq: number; toSeq: number };

/** Where something was seen. */
export type Place = Pick<Sighting, 'line' | 'path' | 'user' | 'connection' | 'epoch' | 'asked'>;

/** What an amendment is called on the wire. */
export const amendmentKind = 'restante.amend';

/** Bodies up to this length are kept for the reports, longer ones are told apart by their hash. */
const keptBody = 200;

export const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 22);

export const bodyText = (body: unknown): string => {
  const text = JSON.stringify(body);
  return text.length <= keptBody ? text : `#${digest(text)}`;
};

function amendsOf({ kind, body }: RawMessage): Message['amends'] {
  if (kind !== amendmentKind) return null;
  const { seq, action } = body as { seq: number; action: string };
  return { seq, action, withBody: 'body' in (body as object) };
}

export type Sightings = {
  message(raw: RawMessage, place: Place, position?: number): void;
  item(raw: RawItem, place: Place): void;
  gap(raw: RawGap, place: Omit<Place, 'path' | 'asked'> & { user: string }): void;
  epoch(epoch: string, line: number): void;
  send(key: { sender: string; clientId: string; target: string }, raw: Record<string, unknown>): Send;
  amend(key: Pick<Amend, 'by' | 'clientId' | 'conversation' | 'seq'>, raw: Record<string, unknown>): Amend;
};

/** Adds what was seen to the facts. Equal texts share one message. */
export function createSightings(facts: Facts): Sightings {
  const known = new Map<string, Message>();
  const epochs = new Set<string>();

  function messageOf(raw: RawMessage): Message {
    const text = JSON.stringify(raw);
    const hashed = digest(text);
    const before = known.get(hashed);
    if (before !== undefined) return before;
    const { id, conversation, seq, sender, clientId, kind, at } = raw;
    const change = kind === 'restante.membership' ? (raw.body as { user: string; action: string }) : null;
    const message: Message = {
      id,
      conversation,
      seq,
      sender,
      clientId,
      kind,
      at,
      class: raw.class,
      body: bodyText(raw.body),
      hash: hashed,
      change: change === null ? null : { user: change.user, action: change.action },
      amended: raw.amended === undefined ? null : { action: raw.amended.action, amendSeq: raw.amended.amendSeq ?? 0 },
      amends: amendsOf(raw),
    };
    known.set(hashed, message);
    return message;
  }

  function add(raw: RawMessage, place: Place, position: number | null): void {
    const sighting: Sighting = {
      line: place.line,
      path: place.path,
      user: place.user,
      connection: place.connection,
      epoch: place.epoch,
      asked: place.asked,
      position,
      message: messageOf(raw),
      final: facts.dumpBegun !== null,
    };
    facts.sightings.push(sighting);
    if (place.connection !== null && (place.path === 'deliver' || place.path === 'page'))
      place.connection.items.push(sighting);
  }

  return {
    message: (raw, place) => add(raw, place, null),
    item: (raw, place) => add(raw.message, place, raw.position ?? null),
    gap({ position, conversation, fromSeq, toSeq }, { line, user, connection, epoch }) {
      const gap: Gap = { line, user, connection, epoch, position, conversation, fromSeq, toSeq };
      facts.gaps.push(gap);
      connection?.gaps.push(gap);
    },
    epoch(epoch, line) {
      if (epochs.has(epoch)) return;
      epochs.add(epoch);
      facts.epochs.push({ epoch, line });
    },
    send({ sender, clientId, target }, raw) {
      const key = `${sender} ${clientId}`;
      let all = facts.sends.get(key);
      if (all === undefined) facts.sends.set(key, (all = []));
      let found = all.find((one) => one.target === target);
      if (found === undefined) {
        found = {
          sender,
          clientId,
          target,
          kind: String(raw['kind']),
          class: String(raw['class'] ?? 'normal'),
          body: bodyText(raw['body']),
          attempts: [],
        };
        all.push(found);
      }
      return found;
    },
    amend({ by, clientId, conversation, seq }, raw) {
      const key = `${by} ${clientId}`;
      let found = facts.amends.get(key);
      if (found === undefined) {
        const body = bodyText(raw['body'] ?? null);
        found = { by, clientId, conversation, seq, action: String(raw['action']), body, attempts: [] };
        facts.amends.set(key, found);
      }
      return found;
    },
  };
}

export const placeOf = (
  connection: Connection,
  path: Path,
  line: number,
  asked: number,
  epoch: string | null = connection.welcome?.epoch ?? null,
): Place => ({ line, path, user: connection.user, connection, epoch, asked });
