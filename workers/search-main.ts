import { startSearch } from './search/start.ts';

/** Process `search`: follows history and answers searches. */
await startSearch(process.env);
