import { startGateway } from '../gateway/gateway.ts';
import { startArchive } from '../workers/archive.ts';
import { startFanout } from '../workers/fanout.ts';
import { startJobs } from '../workers/jobs.ts';
import { startSearch } from '../workers/search/start.ts';

/**
 * All roles in one process, for a small machine. They share nothing but the event loop and the end: each has its own
 * connections to Redis, its own row among the witnesses, and its own port for health and metrics, as if it were alone.
 * So every promise holds as it does with a process for each. What is lost is that one of them may end alone.
 */
const { env } = process;
/** The same ports that the launcher gives the lines of the Procfile. */
const portStep = 100;
const workers = [startFanout, startArchive, startJobs, startSearch];

const portOf = (line: number): string => {
  const port = Number(env['PORT'] || 8080);
  return String(port === 0 ? 0 : port + portStep * line);
};

await Promise.all(workers.map((start, index) => start({ ...env, PORT: portOf(index + 1) }, 'shared process')));
// The last one: whoever asks the gateway whether it is ready means all of them.
await startGateway(env);
