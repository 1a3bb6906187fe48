import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** The colours of the look that pages share, and what its document says of them. */

const root = new URL('../../../../', import.meta.url);
const css = readFileSync(new URL('gateway/http/look.css', root), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
const document = readFileSync(new URL('docs/look.md', root), 'utf8');

const tokens = [...css.matchAll(/^ {2}--([\w-]+):/gm)].map(([, name]) => name!);
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\);/g)].map(([, name, light, dark]) => [
    name!,
    { light: light!, dark: dark! },
  ]),
);

/** The relative luminance of WCAG 2, from six hexadecimal digits. */
function luminance(colour: string): number {
  const [red, green, blue] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** What is written on what. Text needs a contrast of 4.5; lines of a curve and edges of controls need 3. */
const pairs: [front: string, backs: string[], least: number][] = [
  ['text', ['page', 'surface', 'raised', 'accent-soft', 'own'], 4.5],
  ['quiet', ['page', 'surface', 'raised', 'accent-soft', 'own'], 4.5],
  ['accent', ['page', 'surface', 'raised', 'accent-soft', 'own'], 4.5],
  ['on-accent', ['accent'], 4.5],
  ['good', ['page', 'surface', 'good-soft'], 4.5],
  ['warn', ['page', 'surface', 'warn-soft'], 4.5],
  ['bad', ['page', 'surface', 'bad-soft'], 4.5],
  ...[1, 2, 3, 4, 5, 6, 7, 8].flatMap((hue): [string, string[], number][] => [
    [`hue-${hue}`, ['surface', 'raised'], 4.5],
    ['on-hue', [`hue-${hue}`], 4.5],
  ]),
  ['edge', ['page', 'surface'], 3],
  ['series-1', ['surface'], 4.5],
  ['series-2', ['surface'], 4.5],
  ['series-3', ['surface'], 4.5],
  ['series-4', ['surface'], 4.5],
];

describe.each(['light', 'dark'] as const)('the %s colours', (scheme) => {
  test.each(pairs)('%s can be read', (front, backs, least) => {
    for (const back of backs)
      expect(
        contrast(colours.get(front)![scheme], colours.get(back)![scheme]),
        `${front} on ${back}`,
      ).toBeGreaterThanOrEqual(least);
  });
});

test('every token is described, and nothing else is', () => {
  const described = [...document.matchAll(/`--([\w-]+)`/g)].map(([, name]) => name!);
  expect([...new Set(described)].sort()).toEqual([...tokens].sort());
});

test('every class is described', () => {
  const classes = new Set([...css.matchAll(/\.([a-z][\w-]*)(?=[\s.:{,])/g)].map(([, name]) => name!));
  expect([...classes].filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
});

test('nothing in it goes by left and right, so that pages work from right to left too', () => {
  expect(css.match(/\b(left|right)\b/g)).toBeNull();
});
