/** The entry `restante-client/prefetch`: the conversations that are likely to be opened next are here before. */
export type { Candidate, PrefetchReport, Rank } from '../prefetch/api.ts';
export { prefetch, type PrefetchOptions } from '../prefetch/prefetch.ts';
