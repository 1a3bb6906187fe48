import type { Connection } from './connection.ts';
import type { Session } from './session.ts';

/** The connections of this gateway, and which of them hold a user's devices. */
export function createRegistry() {
  const all = new Set<Connection>();
  const users = new Map<string, Connection[]>();

  return {
    all,
    add: (connection: Connection): void => void all.add(connection),

    /** The connection has said hello. */
    attach(connection: Connection & { session: Session }): void {
      const { user } = connection.session;
      const list = users.get(user);
      if (list === undefined) users.set(user, [connection]);
      else list.push(connection);
    },

    remove(connection: Connection): void {
      all.delete(connection);
      const user = connection.session?.user;
      if (user === undefined) return;
      const rest = (users.get(user) ?? []).filter((other) => other !== connection);
      if (rest.length === 0) users.delete(user);
      else users.set(user, rest);
    },

    /** Connections of a user that have said hello. */
    of: (user: string): readonly Connection[] => users.get(user) ?? [],

    users: (): IterableIterator<string> => users.keys(),
  };
}

export type Registry = ReturnType<typeof createRegistry>;
