import type { Client } from '../../src/entries/client.ts';

export type MembersOf =
  | { state: 'loading' }
  | { state: 'here'; users: readonly string[] }
  | { state: 'failed'; error: unknown };

/** The members of groups, read when somebody looks. */
export type Members = {
  of(conversation: string): MembersOf;
  /** They have changed: those that are shown are read again, and stay until then. */
  changed(conversation: string): void;
  /** Nobody looks any more. */
  forget(): void;
};

export function createMembers(client: Client, redraw: () => void): Members {
  const all = new Map<string, MembersOf>();

  const read = (conversation: string): void => {
    const set = (found: MembersOf): void => {
      if (!all.has(conversation)) return;
      all.set(conversation, found);
      redraw();
    };
    client
      .conversation(conversation)
      .members()
      .then(
        (members) => set({ state: 'here', users: members.map(({ user }) => user) }),
        (error: unknown) => set({ state: 'failed', error }),
      );
  };

  return {
    of(conversation) {
      const found = all.get(conversation);
      if (found !== undefined) return found;
      all.set(conversation, { state: 'loading' });
      read(conversation);
      return { state: 'loading' };
    },
    changed(conversation) {
      if (all.has(conversation)) read(conversation);
    },
    forget: () => all.clear(),
  };
}
