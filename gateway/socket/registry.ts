import type { Session } from '../session/session.ts';
import { createClientNames } from './client-names.ts';
import type { Connection } from './connection.ts';

/** All connections of this gateway, and those that have said hello by user. */
export function createRegistry() {
  const all = new Set<Connection>();
  /** Most users have one connection, which is stored without an array to save memory. */
  const users = new Map<string, Connection | Connection[]>();
  const clientNames = createClientNames();
  const nobody: readonly Connection[] = [];

  function of(user: string): readonly Connection[] {
    const held = users.get(user);
    if (held === undefined) return nobody;
    return Array.isArray(held) ? held : [held];
  }

  return {
    all,
    add: (connection: Connection): void => void all.add(connection),

    /** The hello of the connection is accepted. */
    attach(connection: Connection & { session: Session }): void {
      const { user } = connection.session;
      if (connection.client !== null) clientNames.opened(connection.client);
      const held = of(user);
      users.set(user, held.length === 0 ? connection : [...held, connection]);
    },

    remove(connection: Connection): void {
      all.delete(connection);
      const user = connection.session?.user;
      if (user === undefined) return;
      if (connection.client !== null) clientNames.closed(connection.client);
      const rest = of(user).filter((other) => other !== connection);
      if (rest.length === 0) users.delete(user);
      else users.set(user, rest.length === 1 ? rest[0]! : rest);
    },

    /** Connections of a user that have said hello. */
    of,

    /** Connections that have said hello, by what their clients call themselves. */
    clients: clientNames.told,

    users: (): IterableIterator<string> => users.keys(),

    get userCount(): number {
      return users.size;
    },
  };
}

export type Registry = ReturnType<typeof createRegistry>;
