import {
  type Json,
  type Item,
  type Mutation,
  bodyOf,
  numbered,
  rewrite,
  insert,
  received,
  nameOf,
  sameClient,
  frames,
  delivered,
  ending,
  isText,
  without,
  openAtEnd,
  groupText,
  standing,
  modeOf,
  inRange,
  idsOf,
  toldOf,
  welcomeOf,
  beforeHello,
  everMember,
  leaves,
  replaceText,
} from './planting.ts';

/** Faults of what users and their devices are given: order, repetitions, gaps, positions, membership. */
export const faultsOfDevices: readonly Mutation[] = [
  {
    name: 'two messages that a device gets in the wrong order',
    breaks: 'I7',
    plant(events) {
      const all = delivered(events).filter(({ item }) => isText(item.message));
      for (const [number, first] of all.entries()) {
        const second = all
          .slice(number + 1, number + 40)
          .find(
            ({ client, item }) =>
              sameClient(client, first.client) && item.message['conversation'] === first.item.message['conversation'],
          );
        if (second === undefined || second.item.message['seq'] === first.item.message['seq']) continue;
        const between = events.slice(first.index + 1, second.index);
        if (
          between.some(
            (event) => 'client' in event && sameClient(event.client, first.client) && event.type !== 'received',
          )
        )
          continue;
        if (second.index === first.index) continue;
        const single = [first, second].every(({ index }) => (bodyOf(events[index]!)!['items'] as Item[]).length === 1);
        const again = all.filter(
          ({ client, item }) =>
            nameOf(client) === nameOf(first.client) &&
            (item.message['id'] === first.item.message['id'] || item.message['id'] === second.item.message['id']),
        );
        if (!single || again.length !== 2) continue;
        const swapped = [...events];
        swapped[first.index] = { ...events[second.index]! };
        swapped[second.index] = { ...events[first.index]! };
        return numbered(swapped);
      }
      return null;
    },
  },
  {
    name: 'a message in the inbox that a device never gets',
    breaks: 'I7',
    plant(events) {
      const inInbox = standing(events);
      const some = delivered(events).find(({ client, item }) => {
        if (!inInbox.has(`${client.user} ${String(item.message['id'])}`) || !isText(item.message)) return false;
        // A device is not pushed what it sent itself.
        return (
          item.message['sender'] !== client.user &&
          modeOf(events, client) === 'push' &&
          openAtEnd(events, (one) => nameOf(one) === nameOf(client)) !== null &&
          !toldOf(events, client, item.message)
        );
      });
      if (some === undefined) return null;
      return rewrite(events, (json, event) =>
        event.type === 'received' && nameOf(event.client) === nameOf(some.client) && json['type'] === 'deliver'
          ? without(json, some.item.message['id'] as string)
          : undefined,
      );
    },
  },
  {
    name: 'a gap that is not announced',
    breaks: 'I11',
    plant(events) {
      const inInbox = standing(events);
      for (const gap of frames(events, 'received', 'gap')) {
        if (
          modeOf(events, gap.client) !== 'push' ||
          openAtEnd(events, (one) => nameOf(one) === nameOf(gap.client)) === null
        )
          continue;
        const { conversation, fromSeq, toSeq } = gap.json as { conversation: string; fromSeq: number; toSeq: number };
        const got = new Set(
          delivered(events)
            .filter(
              ({ client, item }) =>
                nameOf(client) === nameOf(gap.client) && item.message['conversation'] === conversation,
            )
            .map(({ item }) => item.message['seq'] as number),
        );
        const stood = [...inInbox].some(
          (one) =>
            one.startsWith(`${gap.client.user} `) &&
            [...idsOf(events, conversation, fromSeq, toSeq)].some((id) => one.endsWith(` ${id}`)),
        );
        const own = frames(events, 'received', 'accepted').some(
          ({ client, json }) =>
            nameOf(client) === nameOf(gap.client) &&
            (json['message'] as Json)['conversation'] === conversation &&
            inRange((json['message'] as Json)['seq'] as number, fromSeq, toSeq),
        );
        if (
          stood ||
          own ||
          Array.from({ length: toSeq - fromSeq + 1 }, (_, at) => fromSeq + at).every((seq) => got.has(seq))
        )
          continue;
        // Every gap of this device that covers any of it goes, so that nothing else tells of it.
        return rewrite(events, (json, event) =>
          event.type === 'received' &&
          nameOf(event.client) === nameOf(gap.client) &&
          json['type'] === 'gap' &&
          json['conversation'] === conversation &&
          (json['fromSeq'] as number) <= toSeq &&
          (json['toSeq'] as number) >= fromSeq
            ? null
            : undefined,
        );
      }
      return null;
    },
  },
  {
    name: 'a received position that comes again',
    breaks: 'I8',
    plant(events) {
      const hello = frames(events, 'sent', 'hello').find(
        ({ client, json }) =>
          (json['position'] as number | undefined) !== undefined &&
          (json['position'] as number) > 0 &&
          modeOf(events, client) === 'push' &&
          welcomeOf(events, client) !== undefined &&
          welcomeOf(events, client)!.json['reset'] !== true &&
          beforeHello(events, client) !== undefined,
      );
      if (hello === undefined) return null;
      const { item } = beforeHello(events, hello.client)!;
      return insert(
        events,
        welcomeOf(events, hello.client)!.index + 1,
        received(hello.client, { type: 'deliver', items: [item] }),
      );
    },
  },
  {
    name: 'an item without a position that comes twice',
    breaks: 'I8',
    plant(events) {
      const some = delivered(events).find(({ item }) => item.position === undefined);
      if (some === undefined) return null;
      return insert(events, some.index + 1, received(some.client, { type: 'deliver', items: [some.item] }));
    },
  },
  {
    name: 'a message for somebody who never was a member',
    breaks: 'I9',
    plant(events) {
      const some = groupText(events)[0];
      if (some === undefined) return null;
      const conversation = String(some.item.message['conversation']);
      const client = openAtEnd(events, ({ user }) => !everMember(events, conversation).has(user));
      if (client === null) return null;
      return insert(
        events,
        ending(events),
        received(client, { type: 'deliver', items: [{ message: some.item.message }] }),
      );
    },
  },
  {
    name: 'a message for somebody who has left',
    breaks: 'I9',
    also: ['I7', 'I8'],
    plant(events) {
      for (const { user, conversation, seq } of leaves(events)) {
        const later = delivered(events).findLast(
          ({ item }) =>
            item.message['conversation'] === conversation &&
            (item.message['seq'] as number) > seq &&
            isText(item.message),
        );
        const client = openAtEnd(events, (one) => one.user === user);
        if (later === undefined || client === null) continue;
        return insert(
          events,
          ending(events),
          received(client, { type: 'deliver', items: [{ message: later.item.message }] }),
        );
      }
      return null;
    },
  },
  {
    name: 'a position that another device moved',
    breaks: 'I10',
    plant(events) {
      // The first welcome of a device that was not there from the beginning: raised over what it never confirmed.
      for (const hello of frames(events, 'sent', 'hello')) {
        const welcome = welcomeOf(events, hello.client);
        if (welcome === undefined || hello.client.device === 'fresh' || hello.client.connection !== 1) continue;
        const inbox = delivered(events).find(
          ({ client, item }) =>
            client.user === hello.client.user && item.position !== undefined && item.message['sender'] !== client.user,
        );
        if (inbox === undefined || inbox.item.position === undefined) continue;
        const { position } = inbox.item;
        return replaceText(events, welcome.index, {
          ...welcome.json,
          position,
          head: Math.max(position, welcome.json['head'] as number),
        });
      }
      return null;
    },
  },
  {
    name: 'a remembered position that falls back',
    breaks: 'I10',
    plant(events) {
      const all = frames(events, 'received', 'welcome');
      const some = all.find(({ client, json }, at) =>
        all
          .slice(0, at)
          .some(
            (one) =>
              nameOf(one.client) === nameOf(client) &&
              one.json['epoch'] === json['epoch'] &&
              (one.json['position'] as number) > 0,
          ),
      );
      if (some === undefined) return null;
      return replaceText(events, some.index, { ...some.json, position: 0 });
    },
  },
  {
    name: 'a position that names two messages',
    breaks: 'I21',
    plant(events) {
      for (const first of delivered(events)) {
        if (first.item.position === undefined) continue;
        const other = delivered(events).find(
          ({ client, index, item }) =>
            nameOf(client) === nameOf(first.client) &&
            index < first.index &&
            item.position !== undefined &&
            item.position < first.item.position! &&
            item.message['id'] !== first.item.message['id'],
        );
        if (other === undefined) continue;
        return insert(
          events,
          first.index + 1,
          received(first.client, {
            type: 'deliver',
            items: [{ position: first.item.position, message: other.item.message }],
          }),
        );
      }
      return null;
    },
  },
  {
    name: 'a message at two positions',
    breaks: 'I21',
    plant(events) {
      const some = delivered(events).find(({ item }) => item.position !== undefined);
      if (some === undefined) return null;
      return insert(
        events,
        some.index + 1,
        received(some.client, { type: 'deliver', items: [{ ...some.item, position: some.item.position! + 500_000 }] }),
      );
    },
  },
];
