import type { OutboxEntry } from './entry.ts';

/** Accepted entries, in the order of their acceptance: they are kept for a while, in case the server loses them. */
export type Remembered = {
  /** Returns the clientIds of those that are forgotten for it. */
  add(entry: OutboxEntry): string[];
  /** As it was stored in an earlier run. */
  load(entry: OutboxEntry): void;
  /** Those that were accepted since then, which leave. */
  takeSince(since: number): OutboxEntry[];
  all(): OutboxEntry[];
};

const keptMs = 86_400_000;

export function createRemembered(most: number): Remembered {
  let entries: OutboxEntry[] = [];

  return {
    /** Answers of a day are kept, by the clock of the server that gave them. */
    add(entry) {
      const since = entry.answer!.at - keptMs;
      entries.push(entry);
      const old = entries.findIndex(({ answer }) => answer!.at >= since);
      return entries.splice(0, Math.max(old, entries.length - most)).map(({ clientId }) => clientId);
    },
    load(entry) {
      if (!entries.some(({ clientId }) => clientId === entry.clientId)) entries.push(entry);
    },
    takeSince(since) {
      const isSince = ({ answer }: OutboxEntry): boolean => (answer?.at ?? 0) >= since;
      const taken = entries.filter(isSince);
      entries = entries.filter((entry) => !isSince(entry));
      return taken;
    },
    all: () => entries,
  };
}
