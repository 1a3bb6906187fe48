import { startArchive } from './archive.ts';

/** Process `archive`: group `history`. */
await startArchive(process.env);
