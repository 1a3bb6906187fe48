import { expect, test } from 'vitest';
import { readPresence } from '../../../../shared/redis/presence-news.ts';

test.each([
  ['+ bob 12 g1,g2', { kind: 'online', user: 'bob', at: 12, gateways: ['g1', 'g2'] }],
  ['- bob 34', { kind: 'offline', user: 'bob', lastSeen: 34 }],
  ['- bob ', { kind: 'offline', user: 'bob', lastSeen: null }],
  ['! 17', { kind: 'back', shard: 17 }],
  ['? bob', { kind: 'look', user: 'bob' }],
])('reads %s', (line, news) => {
  expect(readPresence(line)).toEqual(news);
});

test('refuses anything else', () => {
  expect(() => readPresence('x bob')).toThrow('unknown presence x');
});
