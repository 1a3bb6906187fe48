import type { Invariant } from '../../../tools/rehearsal/chaos/checker/report.ts';
import type { ChaosEvent, ClientId, Recorded } from '../../../tools/rehearsal/chaos/recording.ts';

/**
 * Faults to plant into a recording that has none, to prove that the checker sees them. Each finds its own place, so it
 * works on any recording that is long enough; null: there is no place for it.
 */
export type Mutation = {
  name: string;
  /** The invariant that must be broken then. */
  breaks: Invariant;
  /** Others that are broken with it, rightly. */
  also?: Invariant[];
  /** Needs a recording in which accepted messages were lost. */
  needsLoss?: true;
  plant(events: readonly Recorded[]): Recorded[] | null;
};

export type Json = Record<string, unknown>;
export type Item = { position?: number; message: Json };

export const parse = (text: string): Json => JSON.parse(text) as Json;
export const bodyOf = (event: Recorded): Json | null =>
  (event.type === 'received' || event.type === 'sent' || event.type === 'answer') && event.text.startsWith('{')
    ? parse(event.text)
    : null;

/** Lines are numbered anew, so that the order of the array is the order of the recording. */
export const numbered = (events: readonly (Recorded | ChaosEvent)[]): Recorded[] =>
  events.map((event, index) => ({ at: index, ...event, line: index + 1 }));

/** Changes the text of events; null takes the event away, undefined leaves it. */
export function rewrite(
  events: readonly Recorded[],
  change: (json: Json, event: Recorded) => Json | null | undefined,
): Recorded[] {
  return numbered(
    events.flatMap((event) => {
      const json = bodyOf(event);
      if (json === null) return [event];
      const changed = change(json, event);
      if (changed === undefined) return [event];
      return changed === null ? [] : [{ ...event, text: JSON.stringify(changed) } as Recorded];
    }),
  );
}

/** Another text for one event. */
export const replaceText = (events: readonly Recorded[], at: number, json: Json): Recorded[] =>
  numbered(
    events.map((event, index) => (index === at ? ({ ...event, text: JSON.stringify(json) } as Recorded) : event)),
  );

export function insert(events: readonly Recorded[], at: number, ...more: ChaosEvent[]): Recorded[] {
  return numbered([...events.slice(0, at), ...more, ...events.slice(at)]);
}

export const received = (client: ClientId, frame: Json): ChaosEvent => ({
  type: 'received',
  client,
  text: JSON.stringify(frame),
});
export const sent = (client: ClientId, frame: Json): ChaosEvent => ({
  type: 'sent',
  client,
  text: JSON.stringify(frame),
});
export const nameOf = ({ user, device }: ClientId): string => `${user}/${device}`;
export const sameClient = (a: ClientId, b: ClientId): boolean =>
  nameOf(a) === nameOf(b) && a.connection === b.connection;

export type Found = { index: number; client: ClientId; json: Json };
const parsed = new WeakMap<readonly Recorded[], Map<string, Found[]>>();

/** The frames of one kind, parsed once for each recording. */
export function frames(events: readonly Recorded[], direction: 'sent' | 'received', type: string): Found[] {
  let byType = parsed.get(events);
  if (byType === undefined) {
    parsed.set(events, (byType = new Map()));
    for (const [index, event] of events.entries()) {
      if (event.type !== 'sent' && event.type !== 'received') continue;
      const json = parse(event.text);
      const key = `${event.type} ${String(json['type'])}`;
      const found = byType.get(key) ?? [];
      byType.set(key, found);
      found.push({ index, client: event.client, json });
    }
  }
  return byType.get(`${direction} ${type}`) ?? [];
}
export const delivered = (events: readonly Recorded[]): { index: number; client: ClientId; item: Item }[] =>
  frames(events, 'received', 'deliver').flatMap(({ index, client, json }) =>
    (json['items'] as Item[]).map((item) => ({ index, client, item })),
  );

/** Where nothing more is under way. Late events are planted here. */
export const ending = (events: readonly Recorded[]): number => events.findIndex(({ type }) => type === 'drained');
export const stopped = (events: readonly Recorded[]): number =>
  events.findIndex(({ type }) => type === 'sending-stopped');
export const dumped = (events: readonly Recorded[]): number => events.findIndex(({ type }) => type === 'dump-begun');
export const isText = (message: Json): boolean => message['kind'] === 'text';

/** Takes a message out of a list of items or messages wherever it stands. */
export function without(json: Json, id: string): Json | null | undefined {
  const items = json['items'] as Item[] | undefined;
  const messages = json['messages'] as Json[] | undefined;
  if (items?.some(({ message }) => message['id'] === id) === true) {
    const rest = items.filter(({ message }) => message['id'] !== id);
    return rest.length === 0 && json['type'] === 'deliver' ? null : { ...json, items: rest };
  }
  if (messages?.some((message) => message['id'] === id) === true)
    return { ...json, messages: messages.filter((message) => message['id'] !== id) };
  return undefined;
}

/** Changes a message wherever it stands. */
export function everywhere(json: Json, id: string, change: (message: Json) => Json): Json {
  return JSON.parse(JSON.stringify(json), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && (value as Json)['id'] === id && 'seq' in value
      ? change(value)
      : value,
  ) as Json;
}

/** A connection that is open at the end. */
export function openAtEnd(events: readonly Recorded[], accepts: (client: ClientId) => boolean): ClientId | null {
  const end = ending(events);
  const open = new Map<string, ClientId>();
  for (const event of events.slice(0, end)) {
    if (event.type === 'received' && parse(event.text)['type'] === 'welcome')
      open.set(nameOf(event.client), event.client);
    else if (event.type === 'closed') open.delete(nameOf(event.client));
  }
  return [...open.values()].find(accepts) ?? null;
}

/** A send by this client just before the end, and its answer. */
export function lateSend(client: ClientId, answer: Json, sentAs: Json = {}): ChaosEvent[] {
  const id = 'planted';
  const conversation = (answer['message'] as Json)['conversation'] as string;
  return [
    sent(client, { type: 'send', id, clientId: 'planted', conversation, kind: 'text', body: 'planted', ...sentAs }),
    received(client, { type: 'accepted', re: id, clientId: 'planted', ...answer }),
  ];
}

/** A text to a group that was delivered to somebody. */
export const groupText = (events: readonly Recorded[]) =>
  delivered(events).filter(
    ({ item }) => isText(item.message) && !String(item.message['conversation']).startsWith('d_'),
  );

/** The final position of a push device's message that stands in its user's inbox at the end. */
export function standing(events: readonly Recorded[]): Set<string> {
  const found = new Set<string>();
  for (const [index, event] of events.entries()) {
    if (event.type !== 'answer' || index < dumped(events)) continue;
    const request = events.find((one) => one.type === 'request' && one.request === event.request);
    if (request?.type !== 'request' || !request.path.startsWith('/inbox')) continue;
    for (const { message } of parse(event.text)['items'] as Item[])
      found.add(`${request.user} ${String(message['id'])}`);
  }
  return found;
}

export const modeOf = (events: readonly Recorded[], client: ClientId): string =>
  String(frames(events, 'sent', 'hello').find((hello) => sameClient(hello.client, client))?.json['mode'] ?? 'push');

export const inRange = (seq: number, from: number, to: number): boolean => seq >= from && seq <= to;

export function* idsOf(
  events: readonly Recorded[],
  conversation: string,
  fromSeq: number,
  toSeq: number,
): Generator<string> {
  for (const { json } of finalPages(events))
    for (const message of json['messages'] as Json[])
      if (message['conversation'] === conversation && inRange(message['seq'] as number, fromSeq, toSeq))
        yield message['id'] as string;
}

export const toldOf = (events: readonly Recorded[], of: ClientId, message: Json): boolean =>
  frames(events, 'received', 'gap').some(
    ({ client, json }) =>
      nameOf(client) === nameOf(of) &&
      json['conversation'] === message['conversation'] &&
      inRange(message['seq'] as number, json['fromSeq'] as number, json['toSeq'] as number),
  );

export const welcomeOf = (events: readonly Recorded[], client: ClientId): Found | undefined =>
  frames(events, 'received', 'welcome').find((welcome) => sameClient(welcome.client, client));

/** An item that this device got on the connection before, at or below the position that it names now. */
export function beforeHello(events: readonly Recorded[], of: ClientId) {
  const hello = frames(events, 'sent', 'hello').find(({ client }) => sameClient(client, of))!;
  return delivered(events).find(
    ({ client, item, index }) =>
      nameOf(client) === nameOf(of) &&
      index < hello.index &&
      item.position !== undefined &&
      item.position <= (hello.json['position'] as number),
  );
}

/** The pages of the final state as a service read them. */
export const finalPages = (events: readonly Recorded[]): { json: Json }[] => {
  const pages = new Set(
    events
      .slice(dumped(events))
      .flatMap((event) =>
        event.type === 'request' && event.user === null && event.path.includes('/messages') ? [event.request] : [],
      ),
  );
  return events.flatMap((event) =>
    event.type === 'answer' && event.status === 200 && pages.has(event.request) ? [{ json: parse(event.text) }] : [],
  );
};

export function everMember(events: readonly Recorded[], conversation: string): Set<string> {
  const users = new Set<string>();
  for (const event of events) {
    if (event.type !== 'request') continue;
    const member = /^\/conversations\/([^/]+)\/members\/([^/?]+)/.exec(event.path);
    if (member?.[1] === conversation) users.add(member[2]!);
    if (event.path !== '/conversations' || event.body === null) continue;
    const { id, members } = parse(event.body) as { id: string; members: string[] };
    if (id === conversation)
      for (const one of [...members, ...(event.user === null ? [] : [event.user])]) users.add(one);
  }
  return users;
}

/** Who left which group with which seq, and did not come back. */
export function leaves(events: readonly Recorded[]): { user: string; conversation: string; seq: number }[] {
  const last = new Map<string, { user: string; conversation: string; seq: number; action: string }>();
  const messages = finalPages(events).flatMap(({ json }) => json['messages'] as Json[]);
  for (const { conversation, seq, kind, body } of messages.sort(
    (a, b) => (a['seq'] as number) - (b['seq'] as number),
  )) {
    if (kind !== 'restante.membership') continue;
    const { user, action } = body as { user: string; action: string };
    last.set(`${conversation} ${user}`, { user, conversation: conversation as string, seq: seq as number, action });
  }
  return [...last.values()].filter(({ action }) => action !== 'joined');
}

/** Ids of messages that are kept to the end. */
export function keptOf(events: readonly Recorded[]): Set<string> {
  const kept = new Set<string>();
  for (const { json } of finalPages(events)) for (const { id } of json['messages'] as Json[]) kept.add(id as string);
  return kept;
}

/** Answers to sends whose messages were lost. */
export function lostOf(events: readonly Recorded[]): Found[] {
  const kept = keptOf(events);
  return frames(events, 'received', 'accepted').filter(
    ({ json }) => !kept.has((json['message'] as Json)['id'] as string),
  );
}

/** What was asked for and answered before the final state was read: `<clientId> <amendSeq>` of each amendment. */
export function answeredAmendments(events: readonly Recorded[]): Set<string> {
  const asked = new Map<string, unknown>();
  const answered = new Set<string>();
  const note = (key: string, { amendSeq }: Json): void => {
    if (asked.has(key) && amendSeq !== undefined) answered.add(`${String(asked.get(key))} ${String(amendSeq)}`);
  };
  for (const event of events.slice(0, dumped(events))) {
    if (event.type === 'request') {
      if (event.path.endsWith('/amend') && event.body !== null)
        asked.set(`request ${event.request}`, parse(event.body)['clientId']);
    } else if (event.type === 'answer') note(`request ${event.request}`, bodyOf(event) ?? {});
    else if (event.type === 'sent' || event.type === 'received') {
      const json = parse(event.text);
      const key = `${nameOf(event.client)} ${event.client.connection} ${String(json['id'] ?? json['re'])}`;
      if (json['type'] === 'amend') asked.set(key, json['clientId']);
      else if (json['type'] === 'amended') note(key, json);
    }
  }
  return answered;
}

/** The clientIds of sends that were answered at every attempt, all of them over sockets. */
export function alwaysAnswered(events: readonly Recorded[]): Set<unknown> {
  const accepted = frames(events, 'received', 'accepted');
  const answered = new Set(
    accepted.map(({ client, json }) => `${nameOf(client)} ${client.connection} ${String(json['re'])}`),
  );
  const found = new Set(accepted.map(({ json }) => json['clientId']));
  for (const { client, json } of frames(events, 'sent', 'send'))
    if (!answered.has(`${nameOf(client)} ${client.connection} ${String(json['id'])}`)) found.delete(json['clientId']);
  for (const event of events) {
    if (event.type !== 'request' || event.body === null || !event.body.startsWith('{')) continue;
    found.delete(parse(event.body)['clientId']);
  }
  return found;
}
