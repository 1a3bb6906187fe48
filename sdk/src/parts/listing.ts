import type { ListingClient } from '../client/api.ts';
import { listedMost } from '../client/list.ts';
import { createListing } from '../client/listing.ts';
import type { Part } from '../client/part.ts';

/** The list of conversations is read from the server: those without messages here, and the names of groups. */
export const listing: Part<ListingClient> = (inside) => ({
  client: { refreshList: () => createListing(inside.http, inside.writer, listedMost)() },
});
