import { createClient, type Client, type ConversationInfo } from '../../src/entries/client.ts';
import { indexedDb } from '../../src/entries/indexeddb.ts';
import { sharedTabs } from '../../src/entries/tabs.ts';
import { membershipKind, membershipOf } from '../model/body.ts';
import { shownText } from '../model/shown.ts';
import type { Language } from '../words/language.ts';
import { createAnnouncer, type Announcer } from './announcer.ts';
import { createChat, type Chat } from './chat.ts';
import { createDialogs, type Dialogs } from './dialogs.ts';
import { createDrafts, type Drafts } from './drafts.ts';
import { errorText } from './error-text.ts';
import type { Kept } from './kept.ts';
import { createMembers, type Members } from './members.ts';
import { createPresence, type Presence } from './presence.ts';
import { createReceipts, type AllReceipts } from './receipts.ts';
import { createSearch, type Search } from './search.ts';
import { DemoRefused, tokenOf, type SignIn } from './sign-in.ts';
import { createTyping, type Typing } from './typing.ts';

/** Everything of one signed-in user. */
export type Session = {
  readonly user: string;
  readonly client: Client;
  readonly drafts: Drafts;
  readonly typing: Typing;
  readonly presence: Presence;
  readonly receipts: AllReceipts;
  readonly search: Search;
  readonly members: Members;
  readonly dialogs: Dialogs;
  readonly announcer: Announcer;
  /** The conversation that is open. */
  readonly chat: Chat | null;
  open(conversation: string | null): void;
  info(conversation: string): ConversationInfo;
  signOut(): Promise<void>;
  close(): void;
};

export type SessionOptions = {
  signIn: SignIn;
  kept: Kept;
  language(): Language;
  changed(): void;
  /** The server takes no token of this user any more. */
  refused(reason: 'token' | 'demo'): void;
};

export function createSession({ signIn, kept, language, changed, refused }: SessionOptions): Session {
  const { user } = signIn;
  const client = createClient({
    url: location.origin,
    async getToken({ signal }) {
      try {
        return await tokenOf(signIn, signal);
      } catch (error) {
        if (error instanceof DemoRefused) refused('demo');
        throw error;
      }
    },
    // Users who share a browser do not share what is stored.
    storage: indexedDb({ name: `restante:${user}` }),
    tabs: sharedTabs(),
  });
  const sayError = (error: unknown): string => errorText(error, language().words);
  const dialogs = createDialogs(changed, sayError);
  const announcer = createAnnouncer(changed);
  const receipts = createReceipts(client, changed);
  const presence = createPresence(client, changed);
  const members = createMembers(client, changed);
  const search = createSearch(client, changed);
  const known = new Set<string>();
  let chat: Chat | null = null;

  /** Names of groups come with the list: it is read once for each connection, and when an unknown one appears. */
  const readList = (): void => void client.refreshList().catch(() => known.clear());
  /** What others do comes by itself from now on; how it stands is asked. */
  const askOthers = (): void => {
    if (chat === null) return;
    const { id, peer } = chat.conversation.info.get();
    receipts.ask(id, peer);
    if (peer !== undefined) presence.look(peer);
  };

  client.on('state', ({ state, code }) => {
    if (state === 'closed' && code === 4401) refused('token');
  });
  client.on('welcome', () => {
    readList();
    queueMicrotask(askOthers);
  });
  client.on('message', ({ message, live }) => {
    // Who left may not ask any more.
    if (message.kind === membershipKind && membershipOf(message.body)?.user !== user)
      members.changed(message.conversation);
    if (!live || message.sender === user || message.conversation !== chat?.conversation.id) return;
    announcer.say(`${message.sender}: ${shownText(message, language().words).text}`);
  });
  client.on('accepted', ({ message }) => {
    if (message.conversation === chat?.conversation.id) announcer.say(language().words.sent);
  });
  client.status.subscribe(changed);
  client.conversations.subscribe(() => {
    const all = client.conversations.get();
    const isNew = all.some(({ id, kind, name }) => kind === 'group' && name === null && !known.has(id));
    for (const { id } of all) known.add(id);
    if (isNew && client.status.get().state === 'connected') readList();
    changed();
  });
  // Without a known user this waits for the first welcome; why it fails is in the status.
  client.connect().then(changed, changed);

  return {
    user,
    client,
    drafts: createDrafts(kept, user, changed),
    typing: createTyping(client, changed),
    presence,
    receipts,
    search,
    members,
    dialogs,
    announcer,
    get chat() {
      return chat;
    },
    open(id) {
      if (chat?.conversation.id === id) return;
      chat?.close();
      chat =
        id === null ? null : createChat({ client, id, changed, fault: (error) => announcer.fail(sayError(error)) });
      askOthers();
      changed();
    },
    info: (id) => client.conversation(id).info.get(),
    async signOut() {
      chat?.close();
      search.close();
      await client.signOut();
      await kept.clear(`drafts ${user}`);
    },
    close() {
      chat?.close();
      search.close();
      void client.close();
    },
  };
}
