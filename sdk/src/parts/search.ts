import type { SearchClient, SearchedConversation } from '../client/api.ts';
import type { Part } from '../client/part.ts';
import { createSearch } from '../client/search.ts';

/** Messages are found by their words, where the server serves that. */
export const search: Part<SearchClient, SearchedConversation> = (inside) => {
  const find = createSearch(
    (...request) => inside.http(...request),
    (feature) => inside.connection.has(feature),
  );
  return {
    client: { search: find },
    conversation: ({ id }) => ({
      methods: { search: (q, options) => find(q, { ...options, conversation: id }) },
    }),
  };
};
