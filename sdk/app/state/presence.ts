import type { Client } from '../../src/entries/client.ts';

export type Seen = { online: boolean; lastSeen: number | null };

/** Who is online among those whom the user talks to directly. */
export type Presence = {
  of(user: string): Seen | undefined;
  /** Asks once more about a user who was not there: who may see whom changes with the first messages. */
  look(user: string): void;
};

/** The server itself remembers for ten seconds that two users do not know each other. */
const askedEveryMs = 11_000;

/** The users of a frame: what the server says is checked, as everything from outside is. */
function seenIn(users: unknown): [string, Seen][] {
  if (typeof users !== 'object' || users === null) return [];
  return Object.entries(users as Record<string, unknown>).flatMap(([user, found]) => {
    if (typeof found !== 'object' || found === null) return [];
    const { online, lastSeen } = found as { online?: unknown; lastSeen?: unknown };
    return [[user, { online: online === true, lastSeen: typeof lastSeen === 'number' ? lastSeen : null }]];
  });
}

export function createPresence(client: Client, changed: () => void): Presence {
  const all = new Map<string, Seen>();
  /** Whom this connection watches. */
  const watched = new Set<string>();
  const askedAt = new Map<string, number>();
  const waiting = new Set<string>();

  const take = (users: unknown): void => {
    for (const [user, seen] of seenIn(users)) all.set(user, seen);
    changed();
  };

  const isServed = (): boolean => client.status.get().state === 'connected' && client.features.includes('presence');

  const ask = (users: string[]): void => {
    for (const user of users) {
      watched.add(user);
      askedAt.set(user, Date.now());
    }
    client.request({ type: 'presence', users, watch: true }).then(
      (answer) => take(answer['users']),
      () => {
        for (const user of users) watched.delete(user);
      },
    );
  };

  const watch = (): void => {
    if (!isServed()) return;
    const most = client.limits?.presenceUsers ?? 0;
    const peers = client.conversations.get().flatMap(({ peer }) => (peer === undefined ? [] : [peer]));
    const users = peers.filter((user) => !watched.has(user)).slice(0, most - watched.size);
    if (users.length > 0) ask(users);
  };

  /** Soon after an answer, the question waits its time: the next message may change the answer. */
  const look = (user: string): void => {
    if (!isServed() || all.get(user)?.online === true || waiting.has(user)) return;
    const restMs = (askedAt.get(user) ?? 0) + askedEveryMs - Date.now();
    if (restMs <= 0) return ask([user]);
    waiting.add(user);
    setTimeout(() => {
      waiting.delete(user);
      look(user);
    }, restMs);
  };

  client.on('welcome', () => {
    watched.clear();
    queueMicrotask(watch);
  });
  client.on('state', ({ state }) => {
    if (state === 'connected') watch();
    else if (all.size > 0) {
      // Without a connection nothing is known of others.
      all.clear();
      watched.clear();
    }
  });
  client.on('presence', ({ users }) => take(users));
  const peerIn = (conversation: string): string | undefined => client.conversation(conversation).info.get().peer;
  client.on('message', ({ message, live }) => {
    if (live && peerIn(message.conversation) === message.sender) look(message.sender);
  });
  // Who answers is the second of the two to write.
  client.on('accepted', ({ message }) => {
    const peer = peerIn(message.conversation);
    if (peer !== undefined) look(peer);
  });
  client.conversations.subscribe(watch);

  return { of: (user) => all.get(user), look };
}
