import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../shared/process/metrics.ts';

/** The alert rules and the dashboard speak of metrics that exist, and docs/operations says what to do. */

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(new URL(path, `file://${root}`), 'utf8');
const alerts = read('deploy/monitoring/alerts.yml');
const dashboard = read('deploy/monitoring/grafana/dashboards/restante.json');
const operations = read('docs/operations/runbook.md') + read('docs/operations/reference.md');

const metrics = createMetrics('test');
// A gauge that is asked is registered with its question.
for (const part of Object.values(metrics))
  if (typeof part === 'function') (part as (ask: unknown) => void)(async () => []);
const kinds = new Map((await metrics.registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));

/** Every series that the text names. */
const named = (text: string): string[] => [...new Set(text.match(/restante_[a-z0-9_]+/g) ?? [])];
const exists = (series: string): boolean =>
  kinds.has(series) || (series.endsWith('_bucket') && kinds.get(series.slice(0, -'_bucket'.length)) === 'histogram');

test.each([
  ['alerts', alerts],
  ['dashboard', dashboard],
])('every metric of the %s exists', (_, text) => {
  expect(named(text).length).toBeGreaterThan(5);
  expect(named(text).filter((series) => !exists(series))).toEqual([]);
});

test('every metric of its own is described to operators', () => {
  const own = [...kinds.keys()].filter((name) => !/^restante_(process|nodejs)_/.test(name));
  expect(own.filter((name) => !operations.includes(name))).toEqual([]);
});

test('every alert says what to do', () => {
  const all = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
  expect(all.length).toBeGreaterThan(5);
  expect(all.filter((name) => !operations.includes(`\`${name}\``))).toEqual([]);
});

test('the dashboard is one, and every panel asks something', () => {
  const { panels, uid } = JSON.parse(dashboard) as {
    uid: string;
    panels: { title: string; targets: { expr: string }[] }[];
  };
  expect(uid).toBe('restante');
  for (const { title, targets } of panels)
    expect([title, targets.length > 0 && targets.every(({ expr }) => expr !== '')]).toEqual([title, true]);
});

describe('promtool', () => {
  const installed = spawnSync('promtool', ['--version']).status === 0;
  const promtool = (...args: string[]): string =>
    execFileSync('promtool', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });

  test.skipIf(!installed)('takes the rules, their tests and the configuration (Debian: apt install prometheus)', () => {
    expect(promtool('check', 'rules', 'deploy/monitoring/alerts.yml')).toContain('SUCCESS');
    expect(promtool('test', 'rules', 'deploy/monitoring/alerts.test.yml')).toContain('SUCCESS');
    expect(promtool('check', 'config', 'deploy/monitoring/prometheus.yml')).toContain('SUCCESS');
  });
});
