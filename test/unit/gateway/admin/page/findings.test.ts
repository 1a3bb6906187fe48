import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { anchorOf } from '../../../../../gateway/admin/markdown.ts';
// @ts-expect-error The page is plain JavaScript for browsers; its types are checked on their own.
import { findingsOf } from '../../../../../gateway/admin/page/findings.mjs';
// @ts-expect-error The same.
import { limits } from '../../../../../gateway/admin/page/limits.mjs';

/** What the operators' page says is wrong. */

type Finding = { level: 'bad' | 'warn'; title: string; detail: string; page: string };

const root = new URL('../../../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const process = (role: string, more: object = {}) => ({ id: `${role}-0123456789`, role, eventLoopP99Ms: 5, ...more });
const group = (unsettled = 0, owner: string | null = 'somebody') => ({ owner, unsettled });
const partition = (number: number, inbox = group(), history = group()) => ({
  partition: number,
  entries: 0,
  groups: { inbox, history },
});
const well = {
  overview: {
    totals: { acceptP99Ms: 10, deliverP99Ms: null },
    processes: [process('web'), process('fanout'), process('archive'), process('jobs')],
    redis: { usedBytes: 1e8, maxBytes: 1e9 },
    deadLetters: { poison: 0, undelivered: 0 },
  },
  partitions: [partition(0), partition(1)],
  surge: {
    mode: 'auto',
    partitions: [
      { partition: 0, state: 'calm', reason: '' },
      { partition: 1, state: 'calm', reason: '' },
    ],
  },
  search: { served: true, processes: [{ behindMs: 100 }] },
  newestSample: { at: 100_000, now: 105_000 },
};
const without = (role: string) => well.overview.processes.filter((one) => one.role !== role);
const overview = (more: object) => ({ ...well, overview: { ...well.overview, ...more } });

test('nothing is said when all is well', () => {
  expect(findingsOf(well)).toEqual([]);
});

const cases: [what: string, state: object, level: Finding['level'], title: RegExp][] = [
  ['no archive', overview({ processes: without('archive') }), 'bad', /^No archive process runs$/],
  ['no fanout', overview({ processes: without('fanout') }), 'bad', /^No fanout process runs$/],
  ['no jobs', overview({ processes: without('jobs') }), 'bad', /^No jobs process runs$/],
  [
    'no owner',
    { ...well, partitions: [partition(0, group(), group(0, null)), partition(1)] },
    'bad',
    /^No archive process owns partition 0$/,
  ],
  [
    'lag of inboxes',
    { ...well, partitions: [partition(0, group(5001)), partition(1, group(9000))] },
    'bad',
    /^Messages arrive late in partitions 0, 1$/,
  ],
  ['lag of history', { ...well, partitions: [partition(0, group(), group(5001))] }, 'bad', /^History is behind in/],
  ['a full Redis', overview({ redis: { usedBytes: 8.1e8, maxBytes: 1e9 } }), 'bad', /^Redis is 81 % full$/],
  ['slow accepts', overview({ totals: { acceptP99Ms: 1000, deliverP99Ms: 1 } }), 'warn', /^Accepting .* up to 1 s$/],
  [
    'slow deliveries',
    overview({ totals: { acceptP99Ms: 1, deliverP99Ms: 5000 } }),
    'warn',
    /^Delivering .* up to 5 s$/,
  ],
  [
    'a busy process',
    overview({ processes: [...without('web'), process('web', { eventLoopP99Ms: 300 })] }),
    'warn',
    /^web web-0123 is short of CPU$/,
  ],
  ['dead letters', overview({ deadLetters: { poison: 2, undelivered: 1 } }), 'warn', /^There are 3 dead letters$/],
  [
    'a surge',
    {
      ...well,
      surge: { mode: 'auto', partitions: [{ partition: 3, state: 'surge', reason: '900 messages a second' }] },
    },
    'warn',
    /^Surge in partition 3$/,
  ],
  ['a held mode', { ...well, surge: { mode: 'surge', partitions: [] } }, 'warn', /^Every partition is held in surge$/],
  ['no search', { ...well, search: { served: true, processes: [] } }, 'bad', /^No search process answers$/],
  ['an old index', { ...well, search: { served: true, processes: [{ behindMs: 61_000 }] } }, 'warn', /is 61 s behind$/],
  ['no samples', { ...well, newestSample: { at: 100_000, now: 150_000 } }, 'warn', /^The curves have no new samples$/],
];

test.each(cases)('%s is said once, with what to do', (_what, state, level, title) => {
  const findings = findingsOf(state) as Finding[];
  expect(findings).toEqual([
    { level, title: expect.stringMatching(title), detail: expect.any(String), page: expect.any(String) },
  ]);
  const [page, anchor] = findings[0]!.page.split('#') as [string, string];
  const anchors = [...read(`docs/operations/${page}.md`).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    anchorOf(heading!),
  );
  expect(anchors).toContain(anchor);
});

test('a Redis without a limit is never full, and search that is off is not missed', () => {
  expect(findingsOf(overview({ redis: { usedBytes: 9e9, maxBytes: 0 } }))).toEqual([]);
  expect(findingsOf({ ...well, search: { served: false, processes: [] } })).toEqual([]);
});

test('what is wrong comes before what needs a look', () => {
  const state = overview({ deadLetters: { poison: 1 }, processes: without('archive') });
  expect((findingsOf(state) as Finding[]).map(({ level }) => level)).toEqual(['bad', 'warn']);
});

describe('the limits are those of the alert rules', () => {
  const rules = read('deploy/monitoring/alerts.yml');
  const limitOf = (alert: string): number =>
    Number(new RegExp(`alert: ${alert}\\n(?:.*\\n)*?.*> ([\\d.]+)(?: \\* max.*)?\\n`).exec(rules)![1]);

  test.each([
    ['RestanteGroupLag', limits.lag],
    ['RestanteRedisNearlyFull', limits.redisShare],
    ['RestanteAcceptSlow', limits.acceptP99Ms / 1000],
    ['RestanteDeliverSlow', limits.deliverP99Ms / 1000],
    ['RestanteEventLoopSlow', limits.eventLoopP99Ms / 1000],
    ['RestanteSearchBehind', limits.searchBehindMs / 1000],
  ])('%s', (alert, limit) => {
    expect(limitOf(alert)).toBe(limit);
  });
});
