/** The entry `restante-client/core`: a client that has what an application asks for, and loads nothing else. */
export { createCoreClient, type CoreOptions } from '../client/core.ts';
export type { ClientWith, ConversationWith, Part } from '../client/part.ts';
export { direct } from '../parts/direct.ts';
export { eviction } from '../parts/eviction.ts';
export { groups } from '../parts/groups.ts';
export { listing } from '../parts/listing.ts';
export { quality } from '../parts/quality.ts';
export { report } from '../parts/report.ts';
export { search } from '../parts/search.ts';
export { stream } from '../parts/stream.ts';
export { views } from '../parts/views.ts';
