/** A conversation whose messages are in memory. */
type Held = { readonly isOpen: boolean; release(): void };

/** Which conversations have messages in memory: those that were looked at last, and those that are open. */
export type InMemory = {
  /** The newest messages of each. */
  readonly newest: number;
  /** Somebody looks at it: whoever was looked at longest ago is released. */
  looked(conversation: Held): void;
};

/** The most conversations that nobody looks at any more. */
const most = 30;

export function createInMemory(newest: number): InMemory {
  const held = new Set<Held>();
  return {
    newest,
    looked(conversation) {
      held.delete(conversation);
      held.add(conversation);
      for (const one of held) {
        if (held.size <= most) return;
        if (one.isOpen || one === conversation) continue;
        held.delete(one);
        one.release();
      }
    },
  };
}
