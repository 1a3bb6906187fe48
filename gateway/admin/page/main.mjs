import { ask } from './ask.mjs';
import { createCurves } from './curves.mjs';
import { at } from './dom.mjs';
import { findingsOf } from './findings.mjs';
import { startLetters } from './letters.mjs';
import { showFindings, showTiles } from './overview.mjs';
import { createSampleStore } from './sample-store.mjs';
import { showPartitions, showProcesses, showSearch } from './tables.mjs';
import { startTrace } from './trace.mjs';
import { clockWithSeconds } from './words.mjs';

/** The operators' page: reads what it shows every two seconds, and the curves' samples every ten. */

const refreshEveryMs = 2000;
const samplesEveryMs = 10_000;

const store = createSampleStore();
const curves = createCurves(at('charts'), at('spans'), store.read);
let sampledAt = -Infinity;
let shownAt = '';

async function refresh() {
  const [overview, { partitions }, surge, search, presence] = await Promise.all(
    ['overview', 'partitions', 'surge', 'search', 'presence'].map((path) => ask(path)),
  );
  showTiles(overview, presence);
  showProcesses(overview.processes);
  showPartitions(partitions, surge.partitions);
  showSearch(search);
  if (performance.now() - sampledAt >= samplesEveryMs) {
    await store.refresh();
    sampledAt = performance.now();
    curves.show();
  }
  showFindings(findingsOf({ overview, partitions, surge, search, newestSample: store.newest() }));
  shownAt = clockWithSeconds(Date.now());
}

async function turn() {
  try {
    if (!document.hidden) {
      await refresh();
      at('state').textContent = `as of ${shownAt}`;
    }
  } catch (fault) {
    const { message } = /** @type {Error} */ (fault);
    at('state').textContent = 'no answer';
    showFindings([
      {
        level: 'bad',
        title: 'This page gets no answer',
        detail: `${message}.${shownAt === '' ? '' : ` What is shown below is of ${shownAt}.`}`,
        page: 'runbook#first-look',
      },
    ]);
  }
  setTimeout(() => void turn(), refreshEveryMs);
}

startTrace();
startLetters();
void turn();
