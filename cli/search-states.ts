import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createConnections } from '../shared/redis/connection/connect.ts';
import { createProcesses } from '../shared/redis/processes.ts';
import { readFoundPayload } from '../shared/redis/push-bus.ts';
import { publishQuestion } from '../shared/redis/search-bus.ts';
import type { SearchAnswer, SearchState } from '../shared/search/call.ts';
import { quiet, type OperatorAccess } from './operator-access.ts';

/** A process that does not answer within this time is left out (ms). */
const answerWithinMs = 3000;

/** Asks every process of the line `search` how its index is, over Redis as a gateway does. The caller closes it. */
export async function openSearchStates({ redis, keys, config }: Pick<OperatorAccess, 'redis' | 'keys' | 'config'>) {
  const gateway = `cli-${randomBytes(6).toString('hex')}`;
  const processes = createProcesses(redis, keys);
  const subscriber = createConnections(config.REDIS_URL, quiet).subscriber();
  const open = new Map<string, (answer: SearchAnswer) => void>();
  let asked = 0;
  subscriber.on('message', (_channel: string, payload: string) => {
    const found = readFoundPayload(payload);
    if (found !== undefined) open.get(found.question)?.(JSON.parse(found.answer) as SearchAnswer);
  });
  await subscriber.subscribe(keys.push(gateway));

  async function askOne(process: string): Promise<SearchState[]> {
    const id = String(++asked);
    const answered = new Promise<SearchAnswer>((resolve) => open.set(id, resolve));
    try {
      const heard = await publishQuestion(redis, keys, process, {
        gateway,
        id,
        text: JSON.stringify({ type: 'state' }),
      });
      const answer = heard
        ? await Promise.race([answered, pause(answerWithinMs, undefined, { ref: false })])
        : undefined;
      return answer?.type === 'state' ? [answer.state] : [];
    } finally {
      open.delete(id);
    }
  }

  return {
    async ask(): Promise<SearchState[]> {
      const all = (await processes.list()).filter(({ role }) => role === 'search');
      return (await Promise.all(all.map(({ id }) => askOne(id)))).flat();
    },
    close: (): void => subscriber.disconnect(),
  };
}
