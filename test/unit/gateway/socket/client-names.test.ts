import { expect, test } from 'vitest';
import { createClientNames } from '../../../../gateway/socket/client-names.ts';

test('counts open connections by name, most frequent first', () => {
  const names = createClientNames();
  for (const name of ['web/1', 'app/2', 'app/2', 'app/1', 'app/2', 'web/1']) names.opened(name);
  expect(names.told()).toEqual([
    { name: 'app/2', connections: 3 },
    { name: 'web/1', connections: 2 },
    { name: 'app/1', connections: 1 },
  ]);
  for (const name of ['app/2', 'app/2', 'app/1']) names.closed(name);
  expect(names.told()).toEqual([
    { name: 'web/1', connections: 2 },
    { name: 'app/2', connections: 1 },
  ]);
  for (const name of ['web/1', 'web/1', 'app/2', 'unheard']) names.closed(name);
  expect(names.told()).toEqual([]);
});

test('tells 21 of 100,000 names: the 20 most frequent, and all others together', () => {
  const names = createClientNames();
  for (let i = 0; i < 100_000; i++) names.opened(`random/${i}`);
  for (let i = 0; i < 20; i++) for (let times = 0; times < 2 + i; times++) names.opened(`app/${i}`);
  const told = names.told();
  expect(told.map(({ name }) => name)).toEqual([...Array.from({ length: 20 }, (_, i) => `app/${19 - i}`), 'other']);
  expect(told.map(({ connections }) => connections)).toEqual([
    ...Array.from({ length: 20 }, (_, i) => 21 - i),
    100_000,
  ]);
});

test('a client that calls itself other is one of the others', () => {
  const names = createClientNames();
  for (const name of ['other', 'other', 'app/1']) names.opened(name);
  expect(names.told()).toEqual([
    { name: 'app/1', connections: 1 },
    { name: 'other', connections: 2 },
  ]);
});
