import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Ground, Stage } from '../stage.ts';
import { go, namesOf, repeated, step, stop } from './steps.ts';

const duration = ({ fast }: Ground, fullMs: number): number => (fast ? Math.min(fullMs, 6000) : fullMs);
const passAll = ({ cluster }: Stage): void => {
  for (const proxy of cluster.allToRedis) proxy.pass();
  for (const name of cluster.names.filter((one) => one.startsWith('web-'))) cluster.toGateway(name).pass();
};

/** What happens between processes, with every process and store whole. */
export const networkFaults: Fault[] = [
  {
    name: 'F21',
    does: 'answers to sends are lost between gateway and client, so clients send again',
    group: 'network',
    loss: 'none',
    plan: (random, ground) =>
      repeated(0, duration(ground, 12_000), 300, 'lose an answer of a gateway', ({ cluster }) => {
        const gateway = cluster.toGateway(`web-${random.between(1, 2)}`);
        if (random.chance(0.5)) gateway.dropReply(1);
        else gateway.cutAfterRequest('POST /v1/messages');
      }),
  },
  {
    name: 'F22',
    does: 'scripts are carried out and their replies are lost, of every kind of process',
    group: 'network',
    loss: 'none',
    plan: (random, ground) =>
      repeated(0, duration(ground, 15_000), 400, 'lose the reply of a script', (stage) => {
        const name = random.pick(namesOf(stage, 'web', 'fanout', 'archive', 'jobs'));
        stage.cluster.toRedis(name).cutAfterRequest('evalsha', random.between(1, 2));
      }),
  },
  {
    name: 'F23',
    does: 'entries are handed to a reader that never sees them',
    group: 'network',
    loss: 'none',
    plan: (random, ground) =>
      repeated(0, duration(ground, 10_000), 700, 'lose the reply of a read', (stage) => {
        stage.cluster.toRedis(random.pick(namesOf(stage, 'fanout', 'archive'))).cutAfterRequest('xreadgroup');
      }),
  },
  {
    name: 'F24',
    does: 'a gateway and its clients are cut off without a word, and so is a fanout from Redis',
    group: 'network',
    loss: 'none',
    plan: (_, ground) => [
      step(0, 'black holes: clients and web-1, fanout-1 and Redis', ({ cluster }) => {
        cluster.toGateway('web-1').blackhole();
        cluster.toRedis('fanout-1').blackhole();
      }),
      step(duration(ground, 20_000), 'pass', passAll),
    ],
  },
  {
    name: 'F25',
    does: 'one way only: a gateway hears nothing from Redis, an archive is not heard',
    group: 'network',
    loss: 'none',
    plan: (_, ground) => [
      step(0, 'black holes: replies to web-2, requests of archive-1', ({ cluster }) => {
        cluster.toRedis('web-2').blackhole('reply');
        cluster.toRedis('archive-1').blackhole('request');
      }),
      step(duration(ground, 15_000), 'pass', passAll),
    ],
  },
  {
    name: 'F26a',
    does: 'the links of a gateway and a fanout to Redis go up and down every 200 ms',
    group: 'network',
    loss: 'none',
    plan: (_, ground) => {
      let up = true;
      const lastMs = duration(ground, 15_000);
      return [
        ...repeated(0, lastMs, 200, 'flap', ({ cluster }) => {
          up = !up;
          for (const name of ['web-1', 'fanout-1']) {
            if (up) cluster.toRedis(name).pass();
            else cluster.toRedis(name).refuse();
          }
        }),
        step(lastMs + 200, 'pass', passAll),
      ];
    },
  },
  {
    name: 'F26b',
    does: 'slow links: 100 to 300 ms to Redis for one gateway, 2 kB/s and small pieces to the clients of the other',
    group: 'network',
    loss: 'none',
    plan: (_, ground) => [
      step(0, 'delay web-1 to Redis, throttle and slice clients of web-2', ({ cluster }) => {
        cluster.toRedis('web-1').delay(100, 200);
        cluster.toGateway('web-2').throttle(2000, 'reply');
        cluster.toGateway('web-2').slice(64);
      }),
      step(duration(ground, 15_000), 'pass', passAll),
    ],
  },
  {
    name: 'F26c',
    does: 'half-closed connections, and gateways that take no new ones for a while',
    group: 'network',
    loss: 'none',
    plan: (_, ground) => [
      step(0, 'half-close what goes to Redis; nobody accepts at web-1', ({ cluster }) => {
        for (const proxy of cluster.allToRedis) proxy.halfClose();
        cluster.toGateway('web-1').freezeAccept();
        cluster.toGateway('web-1').cut();
      }),
      step(duration(ground, 8000), 'pass', passAll),
    ],
  },
  {
    name: 'F32',
    does: 'messages are recalled and edited while they are delivered: fanouts lag, archives lag, answers are lost',
    group: 'network',
    loss: 'none',
    plan: (random, ground) =>
      repeated(0, duration(ground, 12_000), 1500, 'hold a fanout or an archive for a moment', async (stage) => {
        const name = random.pick(namesOf(stage, 'fanout', 'archive'));
        stop(stage, name);
        stage.cluster.toGateway(`web-${random.between(1, 2)}`).cutAfterRequest('/amend ');
        await pause(random.between(200, 1200));
        go(stage, name);
      }),
  },
];
