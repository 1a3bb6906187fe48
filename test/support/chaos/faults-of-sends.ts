import {
  type Json,
  type Mutation,
  bodyOf,
  rewrite,
  insert,
  received,
  sent,
  sameClient,
  alwaysAnswered,
  frames,
  delivered,
  keptOf,
  lostOf,
  ending,
  isText,
  without,
  everywhere,
  openAtEnd,
  lateSend,
  groupText,
  replaceText,
} from './planting.ts';

/** Faults of what is stored: lost, doubled, invented, altered, numbered twice. */
export const faultsOfSends: readonly Mutation[] = [
  {
    name: 'an accepted message that is nowhere',
    breaks: 'I1',
    plant(events) {
      const client = openAtEnd(events, () => true);
      const some =
        groupText(events).find(({ item }) => item.message['sender'] === client?.user) ?? groupText(events)[0];
      if (client === null || some === undefined) return null;
      const message = { id: 'planted-1', conversation: some.item.message['conversation'], seq: 900_000_000, at: 9e12 };
      return insert(events, ending(events), ...lateSend(client, { message }));
    },
  },
  {
    name: 'a message stored twice',
    breaks: 'I1',
    // An inbox holds the copy, and a device has not got it.
    also: ['I7'],
    plant(events) {
      const accepted = frames(events, 'received', 'accepted').map(({ json }): Json => ({
        clientId: json['clientId'],
        ...(json['message'] as Json),
      }));
      const texts = new Map(
        delivered(events)
          .filter(({ item }) => isText(item.message))
          .map(({ item }) => [item.message['id'], item.message]),
      );
      for (const first of accepted) {
        const original = texts.get(first['id']);
        const second = accepted.find(
          (one) =>
            one['conversation'] === first['conversation'] &&
            one['id'] !== first['id'] &&
            texts.get(one['id'])?.['sender'] === original?.['sender'],
        );
        if (original === undefined || second === undefined) continue;
        const copy = (message: Json): Json =>
          'clientId' in message
            ? {
                ...message,
                clientId: original['clientId'],
                kind: original['kind'],
                class: original['class'],
                body: original['body'],
              }
            : message;
        // Its own send is taken away, so that nothing else is missing.
        return rewrite(events, (json) =>
          json['clientId'] === second['clientId'] ? null : everywhere(json, second['id'] as string, copy),
        );
      }
      return null;
    },
  },
  {
    name: 'a hole between two seqs',
    breaks: 'I2',
    also: ['I13', 'I11'],
    plant(events) {
      const texts = delivered(events).filter(({ item }) => isText(item.message) && (item.message['seq'] as number) > 1);
      const last = new Map<string, number>();
      for (const { item } of texts) last.set(item.message['conversation'] as string, item.message['seq'] as number);
      const some = texts.find(
        ({ item: { message } }) => last.get(message['conversation'] as string)! > (message['seq'] as number) + 1,
      );
      if (some === undefined) return null;
      const { id, clientId } = some.item.message;
      return rewrite(events, (json) => (json['clientId'] === clientId ? null : without(json, id as string)));
    },
  },
  {
    name: 'a message from nobody',
    breaks: 'I3',
    plant(events) {
      const some = groupText(events)[0];
      const client = openAtEnd(events, ({ user }) => user === some?.client.user);
      if (client === null || some === undefined) return null;
      const message = { ...some.item.message, id: 'planted-1', seq: 900_000_000, clientId: 'nobody', body: 'boo' };
      return insert(events, ending(events), received(client, { type: 'deliver', items: [{ message }] }));
    },
  },
  {
    name: 'a refused message that is delivered',
    breaks: 'I3',
    plant(events) {
      // An attempt without an answer may have been accepted.
      const [clientId] = alwaysAnswered(events);
      if (clientId === undefined) return null;
      return rewrite(events, (json) =>
        json['type'] === 'accepted' && json['clientId'] === clientId
          ? { type: 'error', re: json['re'], clientId, code: 'too_large', message: '', retryable: false }
          : undefined,
      );
    },
  },
  {
    name: 'two answers to one send',
    breaks: 'I4',
    also: ['I20'],
    plant(events) {
      const some = frames(events, 'received', 'accepted').find(
        ({ client, index }) => openAtEnd(events, (one) => sameClient(one, client)) !== null && index > 0,
      );
      if (some === undefined) return null;
      const asked = frames(events, 'sent', 'send').find(
        ({ json, client }) => sameClient(client, some.client) && json['id'] === some.json['re'],
      )!;
      const message = { ...(some.json['message'] as Json), seq: 900_000_000, id: 'planted-1' };
      return insert(
        events,
        ending(events),
        sent(some.client, { ...asked.json, id: 'planted' }),
        received(some.client, { ...some.json, re: 'planted', message }),
      );
    },
  },
  {
    name: 'a body altered on its way',
    breaks: 'I5',
    plant(events) {
      const some = delivered(events).find(({ item }) => isText(item.message));
      if (some === undefined) return null;
      const { id } = some.item.message;
      return replaceText(
        events,
        some.index,
        everywhere(bodyOf(events[some.index]!)!, id as string, (message) => ({ ...message, body: 'altered' })),
      );
    },
  },
  {
    name: 'a send that is numbered below an earlier answer',
    breaks: 'I6',
    also: ['I1', 'I20'],
    plant(events) {
      const answers = frames(events, 'received', 'accepted');
      const some = answers.find(({ json }) => ((json['message'] as Json)['seq'] as number) > 2);
      const client = openAtEnd(events, () => true);
      if (some === undefined || client === null) return null;
      const { conversation, at } = some.json['message'] as Json;
      return insert(
        events,
        ending(events),
        ...lateSend(client, { message: { id: 'planted-1', conversation, seq: 1, at } }),
      );
    },
  },
  {
    name: 'a seq given twice over an epoch',
    breaks: 'I20',
    needsLoss: true,
    also: ['I2', 'I6', 'I7', 'I11', 'I13'],
    plant(events) {
      // The first message after the loss gets the number of one that was lost, wherever it stands.
      const kept = keptOf(events);
      const lost = delivered(events).find(({ item }) => !kept.has(item.message['id'] as string));
      const later = delivered(events).findLast(
        ({ item }) =>
          item.message['conversation'] === lost?.item.message['conversation'] && kept.has(item.message['id'] as string),
      );
      if (lost === undefined || later === undefined || later.index < lost.index) return null;
      return rewrite(events, (json) =>
        everywhere(json, later.item.message['id'] as string, (message) => ({
          ...message,
          seq: lost.item.message['seq'],
        })),
      );
    },
  },
  {
    name: 'a loss of which the sender is not told',
    breaks: 'I22',
    needsLoss: true,
    plant(events) {
      if (lostOf(events).length === 0) return null;
      return rewrite(events, (json) =>
        json['type'] === 'welcome' && json['reset'] === true ? { ...json, lostSince: undefined } : undefined,
      );
    },
  },
  {
    name: 'a stored message that is lost',
    breaks: 'I23',
    needsLoss: true,
    plant(events) {
      const [lost] = lostOf(events);
      if (lost === undefined) return null;
      return replaceText(events, lost.index, { ...lost.json, level: 'stored' });
    },
  },
];
