import { parentPort, workerData } from 'node:worker_threads';
import { signToken } from '../../harness/sign-token.ts';
import { createRandom } from '../irc/random.ts';
import type { AttackOrder } from './attack-thread.ts';
import { attackNamed } from './attacks.ts';
import type { Stage } from './stage.ts';

/**
 * Prepares one attack and reports that. A message with a duration (ms) then starts it; at the end it posts the counted
 * answers of the gateway.
 */
const { name, ws, secret, seed } = workerData as AttackOrder;
const attack = attackNamed(name);
const port = parentPort!;
let answers: Record<string, number> = {};
let end = Infinity;

const stage: Stage = {
  ws,
  http: ws.replace('ws', 'http'),
  random: createRandom(seed),
  token: async (user) => signToken(secret, { user, ttlSeconds: 36_000 }),
  service: signToken(secret, { user: 'back-end', ttlSeconds: 36_000, service: true }),
  over: () => performance.now() >= end,
  count: (answer) => {
    answers[answer] = (answers[answer] ?? 0) + 1;
  },
};

await attack.prepare?.(stage);
answers = {};
port.once('message', (forMs: number) => {
  end = performance.now() + forMs;
  void attack.run(stage).then(() => port.postMessage(answers));
});
port.postMessage('prepared');
