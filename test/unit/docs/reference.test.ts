import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseRateLimits, defaultRateLimits } from '../../../shared/model/rate-limits.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { settings } from '../../../shared/process/settings.ts';

/** The three tables of docs/operations/reference.md, held against the code. */

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reference = readFileSync(join(root, 'docs/operations/reference.md'), 'utf8');

function sectionOf(heading: string): string {
  return reference.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
}

/** The cells of the rows of a section's table. */
const rowsOf = (heading: string): string[][] =>
  sectionOf(heading)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\|[ -]+\|/.test(line.replaceAll(' | ', ' ')))
    .slice(1)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );

const codeIn = (cell: string): string => /`([^`]+)`/.exec(cell)![1]!;

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));
}
const sources = ['gateway', 'workers', 'shared'].flatMap(sourcesIn);

describe('metrics', () => {
  test('are those that are registered, with their labels', () => {
    const metrics = createMetrics('test');
    // A gauge that is asked is registered with its question.
    for (const part of Object.values(metrics))
      if (typeof part === 'function') (part as (ask: unknown) => void)(() => []);
    const registered = (metrics.registry.getMetricsAsArray() as unknown as { name: string; labelNames?: string[] }[])
      .filter(({ name }) => !/^restante_(process|nodejs)_/.test(name))
      .map(({ name, labelNames = [] }) => (labelNames.length === 0 ? name : `${name}{${labelNames.join()}}`));
    expect(
      rowsOf('Metrics')
        .map(([metric]) => codeIn(metric!))
        .sort(),
    ).toEqual(registered.sort());
  });
});

describe('log events', () => {
  /** `log.warn({ event: 'name'`, and the two places that make their lines in another way. */
  function levelsInCode(): Map<string, Set<string>> {
    const levels = new Map<string, Set<string>>();
    const note = (event: string, level: string) => levels.set(event, (levels.get(event) ?? new Set()).add(level));
    for (const text of sources) {
      for (const [, level, event] of text.matchAll(/\.(debug|info|warn|error)\(\{\s*event: '(\w+)'/g))
        note(event!, level!);
      for (const [, event] of text.matchAll(/refused\('(\w+)', /g)) note(event!, 'warn');
    }
    return levels.set('refused', new Set(['warn', 'error']));
  }

  test('are those that the code logs, with their levels', () => {
    const documented = rowsOf('Log events').map(([event, level]) => `${codeIn(event!)}: ${level}`);
    const order = ['debug', 'info', 'warn', 'error'];
    const logged = [...levelsInCode()].map(
      ([event, levels]) => `${event}: ${order.filter((level) => levels.has(level)).join(', ')}`,
    );
    expect(documented.sort()).toEqual(logged.sort());
  });

  test('are all found: no line is made in a way that this test does not know', () => {
    const known = new Set(rowsOf('Log events').map(([event]) => codeIn(event!)));
    const named = sources.flatMap((text) => [...text.matchAll(/\bevent: '(\w+)'/g)].map(([, event]) => event!));
    expect(named.filter((event) => !known.has(event))).toEqual([]);
  });
});

describe('limits', () => {
  const units: Record<string, number> = { '': 1, ms: 1, s: 1000, min: 60_000, KiB: 1024, MiB: 1024 * 1024 };

  function valueOf(cell: string): number {
    const [, number, unit] = /^([\d.,]+) ?(\w*)$/.exec(cell)!;
    return Number(number!.replaceAll(',', '')) * units[unit!]!;
  }

  /** Every value that is given to a name in the code: `name = 5 * 60_000;` or `name: 500,`. */
  function valuesOf(name: string): number[] {
    const given = new RegExp(`\\b${name}(?:: number)?\\s*[=:]\\s*([\\d_.]+(?:\\s*\\*\\s*[\\d_.]+)*)`, 'g');
    return sources.flatMap((text) =>
      [...text.matchAll(given)].map(([, product]) =>
        product!
          .replaceAll('_', '')
          .split('*')
          .reduce((all, factor) => all * Number(factor), 1),
      ),
    );
  }

  test.each(rowsOf('Limits').map(([what, value, by]) => [what!, value!, codeIn(by!)] as const))(
    '%s: %s (%s)',
    (_, value, by) => {
      if (by in settings) expect(Number(settings[by as keyof typeof settings].default)).toBe(valueOf(value));
      else expect(valuesOf(by)).toContain(valueOf(value));
    },
  );

  test('name every setting that bounds what clients may do', () => {
    const named = new Set(rowsOf('Limits').map(([, , by]) => codeIn(by!)));
    const bounding = Object.keys(settings).filter((name) => /MAX_|_MAX|RATE|RETENTION/.test(name));
    expect(bounding.filter((name) => !named.has(name) && !sectionOf('Limits').includes(`\`${name}\``))).toEqual([]);
  });

  test('have the defaults of RATE_LIMITS', () => {
    const text = sectionOf('Limits');
    expect(parseRateLimits(defaultRateLimits).faults).toEqual([]);
    for (const budget of defaultRateLimits
      .split(',')
      .filter((name) => /^(create|member|change|read|frame|hello)=/.test(name)))
      expect(text).toContain(`\`${budget}\``);
  });
});
