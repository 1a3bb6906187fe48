import { openQueue } from '../../shared/jobs/queues.ts';
import { createDeadLetters } from '../../shared/redis/dead-letters.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/** The job queues that a gateway adds to, and the dead letters beside them. */
export function openJobs({ config, lifecycle, keys }: GatewayContext, { connections, redis }: Stores) {
  const connection = connections.queue();
  lifecycle.opened('queue connection', () => connection.disconnect());
  return {
    connection,
    redelivery: openQueue('delivery', connection, keys, config.TELEMETRY),
    replay: openQueue('dead-letter', connection, keys, config.TELEMETRY),
    deadLetters: createDeadLetters(redis, keys),
  };
}

export type Jobs = ReturnType<typeof openJobs>;
