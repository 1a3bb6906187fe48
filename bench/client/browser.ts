/**
 * `node bench/client/browser.ts`: the client package and the chat app in a real browser, with a cluster of real
 * processes. Each figure is the median of its tries. Its last line is one JSON object.
 *
 *   --repeat N     tries of each figure (5)
 *   --only A,B     some of write, backlog, list, switch, leader, online
 */
import { parseArgs } from 'node:util';
import { createProgress } from '../../tools/progress/progress.mjs';
import { killChildren } from '../children.ts';
import { machine } from '../machine.ts';
import { median } from '../median.ts';
import { waitForQuiet } from '../quiet.ts';
import { showList } from './browser/app-list.ts';
import { prepareChats } from './browser/app-page.ts';
import { switchChats } from './browser/app-switch.ts';
import { comeBackOnline } from './browser/back-online.ts';
import { prepareBacklog, takeBacklog } from './browser/backlog.ts';
import { loseLeader } from './browser/lost-leader.ts';
import { openStage, type Stage } from './browser/stage.ts';
import { storageWrite } from './browser/storage-write.ts';

/** How long a try waits for other work on the machine to end. */
const patienceMs = 10_000;

/** One try gives one number or several of each of its figures. */
type Try = () => Promise<Record<string, number | number[]>>;

const measurements: Record<string, (stage: Stage) => Promise<Try>> = {
  write: async (stage) => async () => ({ write_200_ms: await storageWrite(stage) }),
  async backlog(stage) {
    const user = await prepareBacklog(stage);
    return async () => {
      const { ms, longestTaskMs } = await takeBacklog(stage, user);
      return { backlog_5000_ms: ms, backlog_longest_task_ms: longestTaskMs };
    };
  },
  async list(stage) {
    const user = await prepareChats(stage);
    return async () => {
      const { stored, network } = await showList(stage, user);
      return {
        list_stored_ms: stored.sinceStart,
        list_network_ms: network.sinceStart,
        list_stored_to_network: stored.sinceStart / network.sinceStart,
        page_stored_ms: stored.sinceLoad,
        page_network_ms: network.sinceLoad,
        page_stored_to_network: stored.sinceLoad / network.sinceLoad,
      };
    };
  },
  async switch(stage) {
    const user = await prepareChats(stage);
    return async () => {
      const { inMemory, stored, frame } = await switchChats(stage, user);
      return { switch_in_memory_ms: inMemory, switch_stored_ms: stored, frame_ms: frame };
    };
  },
  leader: async (stage) => async () => ({
    leader_closed_ms: await loseLeader(stage, 'closed'),
    leader_stopped_ms: await loseLeader(stage, 'stopped'),
  }),
  online: async (stage) => async () => ({
    online_survived_ms: await comeBackOnline(stage, 'survived'),
    online_lost_ms: await comeBackOnline(stage, 'lost'),
  }),
};

const { values } = parseArgs({
  options: {
    repeat: { type: 'string', default: '5' },
    only: { type: 'string', default: Object.keys(measurements).join(',') },
  },
});
const rounded = (value: number): number => Number(value.toPrecision(3));

process.on('exit', killChildren);
const progress = createProgress(process.stderr, { beside: process.stdout, env: process.env });
const figures: Record<string, number> = {};
/** Cores of other work before each try. */
const foreign: number[] = [];
progress.doing('starting a cluster and a browser');
const stage = await openStage();
try {
  for (const name of values.only.split(',')) {
    const prepare = measurements[name];
    if (prepare === undefined) throw new Error(`there is no measurement ${name}`);
    progress.doing(`${name}: preparing`);
    const attempt = await prepare(stage);
    const found: Record<string, number[]> = {};
    for (let round = 1; round <= Number(values.repeat); round++) {
      progress.doing(`${name}: try ${round} of ${values.repeat}`);
      foreign.push(await waitForQuiet(patienceMs, new AbortController().signal));
      const result = await attempt();
      for (const [figure, one] of Object.entries(result)) (found[figure] ??= []).push(median([one].flat()));
    }
    for (const [figure, tries] of Object.entries(found)) {
      figures[figure] = rounded(median(tries));
      progress.say(`${figure}: ${tries.map(rounded).join(' ')}`);
    }
  }
} finally {
  progress.end();
  await stage.close();
}
console.log(
  JSON.stringify({
    machine: machine(),
    repeat: Number(values.repeat),
    foreign_cores: rounded(median(foreign)),
    ...figures,
  }),
);
