import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { chartOf, panelsOf, type Results } from '../../../bench/chart.ts';
import { readOptions } from '../../../bench/options.ts';
import { drawChart } from '../../../bench/svg.ts';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
const kept = JSON.parse(read('docs/bench.json')) as Results;

/** The names of the elements of an XML text, in order of their ends. Throws if it is not well-formed. */
function elementsOf(xml: string): string[] {
  const open: string[] = [];
  const closed: string[] = [];
  const attribute = String.raw`\s+[\w:-]+="[^"<&]*"`;
  const token = new RegExp(
    String.raw`<([\w]+)((?:${attribute})*)\s*(/?)>|</([\w]+)>|([^<>&]|&(?:amp|lt|gt|quot);)+|([^]?)`,
    'y',
  );
  for (let at = 0; at < xml.length; at = token.lastIndex) {
    token.lastIndex = at;
    const [all, begun, , isEmpty, ended, , other] = token.exec(xml)!;
    if (other !== undefined) throw new Error(`not well-formed at "${xml.slice(at, at + 40)}"`);
    if (begun !== undefined && isEmpty === '') open.push(begun);
    else if (begun !== undefined) closed.push(begun);
    else if (ended !== undefined && open.pop() !== ended) throw new Error(`${all} closes another element`);
    else if (ended !== undefined) closed.push(ended);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join()}`);
  return closed;
}

const textsOf = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

describe('the chart that the README shows', () => {
  const svg = read('docs/bench.svg');

  test('is the one of docs/bench.json (npm run bench -- --from docs/bench.json)', () => {
    expect(svg).toBe(chartOf(kept));
  });

  test('has the figures of the page of measurements', () => {
    const page = read('docs/measurements.md');
    const rows = page.split('\n').filter((line) => line.startsWith('|'));
    const holds = (...cells: string[]): boolean => rows.some((row) => cells.every((cell) => row.includes(` ${cell} `)));
    const words: Record<string, string> = {
      saturation: 'saturation',
      overload: 'twice the saturation',
      'low-load': '200 messages/s',
      echo: 'echo',
      restante: 'Restante',
    };
    const grouped = (value: number): string => new Intl.NumberFormat('en').format(Math.round(value));
    for (const { name, system, delivered_per_s, p50_ms, p99_ms, resident_bytes_per_connection } of kept.cases) {
      if (typeof resident_bytes_per_connection === 'number')
        expect(holds(grouped(resident_bytes_per_connection))).toBe(true);
      else if (name === 'large-group') expect(holds(p50_ms!.toFixed(1))).toBe(true);
      else if (name in words) {
        const figures = [grouped(delivered_per_s!), p50_ms!.toFixed(2), p99_ms!.toFixed(2)];
        expect([name, system, holds(words[name]!, words[system]!, ...figures)]).toEqual([name, system, true]);
      }
    }
    expect(page).toContain(kept.machine);
    expect(page).toContain(kept.date);
  });

  test('is well-formed, and says every number as text', () => {
    const elements = elementsOf(svg);
    expect(elements.filter((name) => name === 'rect')).toHaveLength(12);
    expect(elements.slice(0, 3)).toEqual(['title', 'desc', 'style']);
    const figures = ['48,283', '8,345', '7,642', '0.36 ms', '1.61 ms', '0.68 ms', '7.32 ms', '3,006', '2,907'];
    expect(textsOf(svg)).toEqual(expect.arrayContaining([...figures, '41.6 ms', '46.7 ms', '556.5 ms']));
    const described = /<desc[^>]*>([^<]*)/.exec(svg)![1]!;
    for (const figure of figures) expect(described).toContain(figure);
  });

  test('has bars whose lengths are in proportion, and colours for light and dark pages', () => {
    const lengths = [...svg.matchAll(/<rect class="\w+" [^>]*width="([\d.]+)"/g)].map(([, length]) => Number(length));
    expect(lengths[1]! / lengths[0]!).toBeCloseTo(8345 / 48_283, 2);
    expect(lengths[4]! / lengths[6]!).toBeCloseTo(1.61 / 7.32, 2);
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
  });
});

describe('charts', () => {
  test('leave out what was not measured', () => {
    const cases = kept.cases.filter(({ name }) => name === 'saturation');
    expect(panelsOf({ ...kept, cases }).map(({ bars }) => bars.map(({ text }) => text))).toEqual([['48,283', '8,345']]);
    expect(chartOf({ ...kept, cases: kept.cases.filter(({ system }) => system === 'echo') })).toBe(null);
  });

  test('take any text', () => {
    const bars = [{ label: '<a> & "b"', value: 0, text: '0', ours: true }];
    const about = { title: 'x < y', description: '"', foot: ['a & b'] };
    const svg = drawChart([{ title: '</text>', note: '&amp;', bars }], about);
    expect(elementsOf(svg)).toContain('rect');
    expect(textsOf(svg)).toContain('&lt;a&gt; &amp; &quot;b&quot;');
  });

  test('are drawn by whole runs, and by others when they are asked for', () => {
    expect(readOptions([]).chart).toBe('docs/bench.svg');
    expect(readOptions(['--quick']).chart).toBe(null);
    expect(readOptions(['--only', 'idle']).chart).toBe(null);
    expect(readOptions(['--quick', '--chart', 'x.svg']).chart).toBe('x.svg');
    expect(readOptions(['--from', 'x.json'])).toMatchObject({ from: 'x.json', chart: 'docs/bench.svg' });
    expect(() => readOptions(['--chart', 'x.png'])).toThrow('ends with .svg');
  });
});
