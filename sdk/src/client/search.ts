import { Refusal } from '../refusal.ts';
import type { Message } from '../wire.ts';
import type { Http } from './http.ts';

export type SearchOptions = {
  /** Only messages of this sender, of this kind, accepted after or before a moment. */
  from?: string;
  kind?: string;
  after?: number;
  before?: number;
  /** 1 to 50, by default 20. */
  limit?: number;
  /** The `next` of the page before, with the same other options. */
  next?: string;
};

export type SearchPage = {
  /** The newest first, with their present texts. */
  messages: Message[];
  more: boolean;
  next?: string;
  /** The index is behind: messages may be missing. */
  indexing?: true;
};

export type Search = (q: string, options?: SearchOptions & { conversation?: string }) => Promise<SearchPage>;

/** Messages by their words. Rejects with `not_found` where the server has no search. */
export function createSearch(http: Http, has: (feature: string) => boolean): Search {
  return async (q, options = {}) => {
    if (!has('search')) throw new Refusal('not_found', 'this server has no search');
    const query = new URLSearchParams({ q });
    for (const [name, value] of Object.entries(options)) if (value !== undefined) query.set(name, String(value));
    return (await http('GET', `/search?${query.toString()}`)) as SearchPage;
  };
}
