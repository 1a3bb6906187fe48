import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';

/**
 * Both ends of the questions that gateways ask processes of the line `search`. Each of those has a channel. The answer
 * comes on the gateway's own channel, as payload `F` (push-bus.ts). Either may be lost: the gateway waits for a while
 * and asks another process.
 *
 * A question is two lines: <gateway> <id>, and its text (JSON, shared/search/call.ts).
 */
export type AskedQuestion = { gateway: string; id: string; text: string };

/** Resolves whether anybody is subscribed to the channel. */
export async function publishQuestion(
  redis: Redis,
  keys: Keys,
  process: string,
  { gateway, id, text }: AskedQuestion,
): Promise<boolean> {
  return (await redis.publish(keys.search(process), `${gateway} ${id}\n${text}`)) > 0;
}

/** Receives the questions to one process, from now on and after every reconnect. */
export async function receiveQuestions(
  subscriber: Redis,
  keys: Keys,
  process: string,
  asked: (question: AskedQuestion) => void,
): Promise<void> {
  subscriber.on('message', (_channel: string, payload: string) => {
    const end = payload.indexOf('\n');
    const [gateway = '', id = ''] = payload.slice(0, end).split(' ');
    if (end > 0 && id !== '') asked({ gateway, id, text: payload.slice(end + 1) });
  });
  await subscriber.subscribe(keys.search(process));
}
