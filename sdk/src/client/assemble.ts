import type { BaseClient, ClientOptions } from './api.ts';
import { createBasis } from './basis.ts';
import { createConversations } from './conversations.ts';
import { createEnding } from './ending.ts';
import type { Inside } from './inside.ts';
import { createLinking } from './linking.ts';
import { createList } from './list.ts';
import type { ClientWith, Part } from './part.ts';
import { createPrefetching } from './prefetching.ts';
import { createReceiving } from './receiving.ts';
import { createSending } from './sending.ts';
import { createSharedConnection } from './shared-connection.ts';
import { createSharing } from './sharing.ts';
import { createStoring } from './storing.ts';
import { createWaiting } from './waiting.ts';

/**
 * A client of one user on one device: what it receives and sends goes by way of its storage. It begins to connect with
 * `connect`. This is the composition root: pieces are made in the order in which they need each other.
 */
export function assemble<const Parts extends readonly Part[]>(options: ClientOptions, given: Parts): ClientWith<Parts> {
  const inside = createBasis(options);
  const parts = given.map((part) => part(inside));
  const add = (pieces: Partial<Inside>): void => void Object.assign(inside, pieces);
  const ending = createEnding(inside);

  add({ waiting: createWaiting(), list: createList(inside.fault) });
  add({ conversations: createConversations(inside, (one) => parts.flatMap((part) => part.conversation?.(one) ?? [])) });
  add(createSharedConnection(inside));
  add(createStoring(inside));
  add(createLinking(inside));
  add(createReceiving(inside));
  add({ outbox: createSending(inside) });
  add({ prefetching: createPrefetching(inside) });
  add(createSharing(inside, () => void ending.close()));

  return Object.assign(createSurface(inside, ending), ...parts.map(({ client }) => client)) as ClientWith<Parts>;
}

/** What applications see of every client. */
function createSurface(inside: Inside, { close, signOut }: ReturnType<typeof createEnding>): BaseClient {
  const { writer, waiting, list, link, connection, conversations, acts } = inside;
  return {
    status: inside.status,
    conversations: list.store,
    get user() {
      return writer.meta.user;
    },
    get device() {
      return writer.meta.device;
    },
    get features() {
      return connection.current.features;
    },
    get limits() {
      return connection.current.limits;
    },
    now: connection.now,
    async connect() {
      await inside.loaded;
      if (inside.isClosed) throw new Error('the client is closed');
      if (inside.tabs === undefined) link.connect();
      else inside.tabs.join();
      if (writer.meta.user === null) await waiting.userKnown();
    },
    disconnect() {
      inside.intake.flush();
      link.disconnect();
      void inside.tabs?.leave();
    },
    close,
    signOut,
    conversation: (id) => conversations.of(id),
    sent: (clientId) => inside.outbox.handle(clientId),
    request: acts.ask,
    http: inside.http,
    on: inside.on,
    [Symbol.asyncDispose]: close,
  };
}
