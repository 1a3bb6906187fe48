import type { SeqRange } from '../wire.ts';
import { difference, union, type Ranges } from './ranges.ts';

/**
 * Tells of every hole once. The server announces it, and later what lies above it is handed out: both happen in any
 * order, or only one of them.
 */
export type GapEvents = { tell(conversation: string, missing: Ranges): void };

/** The most conversations whose holes are remembered. */
const keptConversations = 500;

export function createGapEvents(emit: (gap: SeqRange & { conversation: string }) => void): GapEvents {
  /** What was told, by conversation; the last used at the end. */
  const told = new Map<string, Ranges>();

  return {
    tell(conversation, missing) {
      const before = told.get(conversation) ?? [];
      const news = difference(missing, before);
      told.delete(conversation);
      told.set(conversation, union(before, missing));
      if (told.size > keptConversations) told.delete(told.keys().next().value!);
      if (news.length > 0) emit({ conversation, fromSeq: news[0]!.fromSeq, toSeq: news.at(-1)!.toSeq });
    },
  };
}
