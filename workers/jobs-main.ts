import { startJobs } from './jobs.ts';

/** Process `jobs`: every BullMQ worker. */
await startJobs(process.env);
