import { startFanout } from './fanout.ts';

/** Process `fanout`: group `inbox`. */
await startFanout(process.env);
