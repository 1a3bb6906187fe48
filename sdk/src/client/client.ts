import { directConversation } from '../direct-conversation.ts';
import { createIntake } from '../intake/intake.ts';
import { createLink } from '../link/link.ts';
import { createClientIds } from '../outbox/client-ids.ts';
import { createOutbox } from '../outbox/outbox.ts';
import { systemClock } from '../platform/clock.ts';
import { pageEnvironment } from '../platform/environment.ts';
import { Refusal } from '../refusal.ts';
import { defaultCache } from '../storage/eviction.ts';
import { guarded } from '../storage/guarded.ts';
import { memory } from '../storage/memory.ts';
import { createWriter } from '../storage/writer.ts';
import { createConversation, type Core, type OwnConversation } from '../view/conversation.ts';
import { createStore } from '../view/store.ts';
import type { Frame } from '../wire.ts';
import { acceptedMessage } from './accepted.ts';
import type { Client, ClientEvents, ClientOptions, Status } from './api.ts';
import { createCache } from './cache.ts';
import { nameDevice } from './device-id.ts';
import { createEmitter } from './events.ts';
import { createHttp } from './http.ts';
import { createList } from './list.ts';
import { openStorage } from './open-storage.ts';
import { createPace } from './pace.ts';

/** The most conversations in the list. */
const listed = 1000;

/**
 * A client of one user on one device: what it receives and sends goes by way of its storage, and views show what is
 * stored. It begins to connect with `connect`. This is the composition root of the package, so it is long.
 */
export function createClient(options: ClientOptions): Client {
  const { clock = systemClock, random = Math.random } = options;
  const environment = options.environment ?? pageEnvironment();
  const lazy = options.sync === 'lazy';
  const fault = (error: Error, where: string): void => void (isClosed || emitter.emit('fault', { error, where }));
  const emitter = createEmitter<ClientEvents>(fault);
  const conversations = new Map<string, OwnConversation>();
  const list = createList(fault);
  const storage = guarded(options.storage ?? memory(), clock, (error) => {
    storageState = 'memory';
    fault(error, 'storage');
    emitter.emit('storage', 'memory');
  });
  let synced = false;
  let storageState: Status['storage'] = storage.persistent ? 'persistent' : 'memory';
  let token: string | null = null;
  let isClosed = false;
  const waitingForOpen: (() => void)[] = [];
  const waitingForUser: { resolve(): void; reject(error: Error): void }[] = [];

  const opened = openStorage(storage, options.device, () => {
    storageState = 'lost';
    emitter.emit('storage', 'lost');
  });
  const getToken: ClientOptions['getToken'] = async (request) => (token = await options.getToken(request));

  const writer = createWriter({
    storage,
    opened,
    clock,
    random,
    fault,
    changed(changed, messages) {
      list.set(changed);
      for (const row of changed) {
        const ofRow = messages.filter(({ conversation }) => conversation === row.id);
        conversations.get(row.id)?.changed(row, ofRow);
      }
      if (changed.length > 0) stored();
    },
  });
  const isOpen = (id: string): boolean => conversations.get(id)?.isOpen === true;
  const stored = createCache({
    writer,
    clock,
    limits: { ...defaultCache, ...options.cache },
    rows: list.all,
    isOpen,
  });
  const user = (): string => {
    if (writer.meta.user === null) throw new Error('the user is not known before the first welcome');
    return writer.meta.user;
  };

  const pace = createPace(environment);
  const link = createLink({
    ...options,
    getToken,
    clock,
    environment,
    random,
    get device() {
      return writer.meta.device;
    },
    hello: () => ({ mode: lazy ? 'lazy' : 'push', ...intake.hello() }),
    events: {
      status: () => changedStatus(),
      welcome(welcome) {
        if (writer.meta.user !== null && writer.meta.user !== welcome.user) {
          fault(new Error(`the storage belongs to ${writer.meta.user}, the token to ${welcome.user}`), 'other_user');
          return 'other_user';
        }
        synced = false;
        intake.welcomed(welcome, (transaction) => {
          if (welcome.reset === true && welcome.lostSince !== undefined)
            outbox.repeatSince(transaction, welcome.lostSince);
        });
        emitter.emit('welcome', welcome);
        return undefined;
      },
      open() {
        for (const resolve of waitingForOpen.splice(0)) resolve();
        void writer.flushed().then(() => {
          for (const one of waitingForUser.splice(0)) one.resolve();
          if (!link.usable) return;
          outbox.open();
          for (const conversation of conversations.values()) conversation.refresh();
        });
      },
      pause() {
        intake.pause();
        outbox.pause();
      },
      frame: takeFrame,
      fault,
    },
  });

  const isPassedOn = (type: string): type is 'receipt' | 'typing' | 'presence' =>
    type === 'receipt' || type === 'typing' || type === 'presence';

  function takeFrame(frame: Frame): void {
    if (intake.frame(frame)) return;
    const { conversation, seq } = frame;
    if (frame.type === 'read' && typeof conversation === 'string' && typeof seq === 'number') {
      conversationOf(conversation).readElsewhere(seq);
      emitter.emit('read', { conversation, seq });
    } else if (isPassedOn(frame.type)) emitter.emit(frame.type, frame);
  }

  /** Reading goes on when a client that was disconnected connects again. */
  async function insist(frame: () => Frame): Promise<Frame> {
    for (;;) {
      try {
        return await link.insist(frame);
      } catch (error) {
        if (error instanceof Refusal || link.status.state === 'closed') throw error;
        await new Promise<void>((resolve) => waitingForOpen.push(resolve));
      }
    }
  }

  const intake = createIntake({
    writer,
    clock,
    lazy,
    insist,
    tell: (frame) => link.tell(frame),
    target,
    isOpen,
    holdMs: pace.holdMs,
    historyItems: pace.historyItems,
    unreadHere: () => list.all().flatMap(({ id, unread }) => (unread > 0 ? [id] : [])),
    renew: () => link.renew(),
    events: {
      message: ({ message, first }, live) => emitter.emit('message', { message, live, first }),
      amended: (message) => emitter.emit('amended', { message }),
      gap: (gap) => emitter.emit('gap', gap),
      reset: (lostSince) => emitter.emit('reset', lostSince === undefined ? {} : { lostSince }),
      synced() {
        synced = true;
        changedStatus();
        for (const { outboxChanged } of conversations.values()) outboxChanged();
      },
      fault,
    },
  });

  const outbox = createOutbox({
    writer,
    persistent: () => storage.persistent,
    clock,
    random,
    newClientId: createClientIds(() => link.now()),
    ask: (frame) => link.ask(frame),
    has,
    limits: () => link.welcome?.limits ?? { maxBodyBytes: Number.MAX_SAFE_INTEGER, sendPerSecond: 0 },
    pace: pace.outbox,
    isFocused: isOpen,
    accepted(entry, frame, also, settle) {
      const message = acceptedMessage(entry, frame, user());
      const done = (): void => {
        settle();
        emitter.emit('accepted', { clientId: entry.clientId, message: entry.answer! });
      };
      intake.own(message, also, done);
    },
    changed(lane, entry) {
      conversations.get(lane)?.outboxChanged();
      const { clientId, fault: refused } = entry;
      if (entry.state === 'failed' && refused !== undefined)
        emitter.emit('failed', { clientId, conversation: lane, ...refused });
      changedStatus();
    },
    keepAccepted: options.outbox?.keepAccepted ?? 1000,
    fault,
  });

  const status = createStore<Status>(
    () => ({ ...link.status, synced: synced && link.usable, storage: storageState, waiting: outbox.size }),
    fault,
  );
  const changedStatus = (): void => {
    status.invalidate();
    emitter.emit('state', status.get());
    if (link.status.state !== 'closed') return;
    const reason = new Error(`the client is closed: ${link.status.reason ?? link.status.code}`);
    for (const one of waitingForUser.splice(0)) one.reject(reason);
  };

  function has(feature: string): boolean {
    return link.welcome?.features.includes(feature) === true;
  }

  function target(id: string): { to: string } | { conversation: string } {
    const peer = list.get(id)?.peer ?? conversations.get(id)?.info.get().peer;
    return peer === undefined ? { conversation: id } : { to: peer };
  }

  const http = createHttp({
    url: () =>
      (typeof options.url === 'string' ? options.url : options.url(0)).replace(/^ws/, 'http').replace(/\/$/, ''),
    token: async () => token ?? getToken({ reason: 'first', signal: new AbortController().signal }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });

  const core: Core = {
    writer,
    storage,
    intake,
    outbox,
    link,
    clock,
    user: () => writer.meta.user ?? '',
    synced: () => synced,
    has,
    target,
    http,
    looked: () => outbox.pump(),
    fault,
  };

  const conversationOf = (id: string, peer?: string): OwnConversation => {
    let found = conversations.get(id);
    if (found === undefined) conversations.set(id, (found = createConversation(core, id, peer)));
    return found;
  };

  const loaded = writer.opened.then(async () => {
    list.load(await storage.list(listed));
    outbox.load(await storage.outbox());
    changedStatus();
  });
  // `connect` tells; whoever never connects must not be told of an unhandled rejection.
  loaded.catch((error: unknown) => fault(error as Error, 'storage'));

  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    intake.flush();
    link.close();
    for (const resolve of waitingForOpen.splice(0)) resolve();
    await writer.flushed();
    await storage.close();
  };

  return {
    status,
    conversations: list.store,
    get user() {
      return writer.meta.user;
    },
    get device() {
      return writer.meta.device;
    },
    get features() {
      return link.welcome?.features ?? [];
    },
    get limits() {
      return link.welcome?.limits;
    },
    now: () => link.now(),
    async connect() {
      await loaded;
      if (isClosed) throw new Error('the client is closed');
      link.connect();
      if (writer.meta.user === null)
        await new Promise<void>((resolve, reject) => waitingForUser.push({ resolve, reject }));
    },
    disconnect() {
      intake.flush();
      link.disconnect();
    },
    close,
    async signOut() {
      await http('DELETE', `/devices/${encodeURIComponent(writer.meta.device)}`).catch((error: unknown) =>
        fault(error as Error, 'sign_out'),
      );
      link.close();
      await writer.flushed();
      await storage.erase();
      nameDevice(null);
      await close();
    },
    conversation: (id) => conversationOf(id),
    direct(peer) {
      const id = directConversation(user(), peer);
      if (list.get(id)?.peer === undefined && !conversations.has(id))
        writer.change({ run: async (transaction) => transaction.setRow({ ...(await transaction.row(id)), peer }) });
      return conversationOf(id, peer);
    },
    async createGroup(group) {
      const { id, name } = (await http('POST', '/conversations', group)) as { id: string; name: string | null };
      writer.change({ run: async (transaction) => transaction.setRow({ ...(await transaction.row(id)), name }) });
      return conversationOf(id);
    },
    sent: (clientId) => outbox.handle(clientId),
    request: (frame) => link.ask(frame),
    http,
    on: emitter.on,
    [Symbol.asyncDispose]: close,
  };
}
