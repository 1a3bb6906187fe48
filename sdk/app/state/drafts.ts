import type { Kept } from './kept.ts';

/** What was begun and not sent, for each conversation of one user. */
export type Drafts = {
  get(conversation: string): string;
  set(conversation: string, text: string): void;
};

type All = Record<string, string>;

/** The most drafts that are kept: the oldest leave first. */
const most = 200;

export function createDrafts(kept: Kept, user: string, changed: () => void): Drafts {
  const key = `drafts ${user}`;
  const all = new Map<string, string>();
  void kept.get<All>(key).then((found) => {
    for (const [conversation, text] of Object.entries(found ?? {}))
      if (typeof text === 'string' && !all.has(conversation)) all.set(conversation, text);
    changed();
  });
  return {
    get: (conversation) => all.get(conversation) ?? '',
    set(conversation, text) {
      if (text === (all.get(conversation) ?? '')) return;
      all.delete(conversation);
      // An empty one stays until it is stored: what is read late must not bring it back.
      all.set(conversation, text);
      if (all.size > most) all.delete(all.keys().next().value!);
      void kept.set(key, Object.fromEntries([...all].filter(([, one]) => one !== '')));
    },
  };
}
