import { expect, test } from 'vitest';
import { createChannel, type Told } from '../../../../sdk/src/tabs/channel.ts';
import type { TabChannel } from '../../../../sdk/src/tabs/platform.ts';

function play(take: (note: Told) => void = () => {}) {
  const faults: string[] = [];
  const posted: unknown[] = [];
  let say = (_data: unknown): void => {};
  const opened: TabChannel = {
    addEventListener: (_type, listener) => void (say = (data) => listener({ data })),
    postMessage: (data) => void posted.push(structuredClone(data)),
    close: () => {},
  };
  const channel = createChannel(opened, 'me', take, (error, where) => void faults.push(`${where}: ${error.message}`));
  return { channel, faults, posted, say: (data: unknown) => say(data) };
}

test.each([
  [null],
  ['who'],
  [7],
  [[]],
  [{}],
  [{ type: 'who' }],
  [{ type: 'who', from: 3 }],
  [{ type: 'constructor', from: 'a' }],
  [{ type: 'erase', from: 'a' }],
  [{ type: 'lead', from: 'a', term: '9', count: 0, connection: { status: {}, features: [] } }],
  [{ type: 'lead', from: 'a', term: 9, count: 0, connection: null }],
  [{ type: 'lead', from: 'a', term: 9, count: 0, connection: { status: {}, features: 'all' } }],
  [{ type: 'news', from: 'a', term: 9, count: 1 }],
  [{ type: 'do', from: 'a', id: '1', act: 'ask', args: [] }],
  [{ type: 'do', from: 'a', id: 1, act: 'ask', args: 'x' }],
  [{ type: 'done', from: 'a', id: 1, to: 'me', error: 'x' }],
  [{ type: 'looks', from: 'a', ids: 'c' }],
])('ignores what is no note of a tab: %j', (data) => {
  const taken: Told[] = [];
  const { say, faults } = play((note) => void taken.push(note));
  say(data);
  say({ type: 'who', from: 'a' });
  expect([taken, faults]).toEqual([[{ type: 'who', from: 'a' }], []]);
});

test('what cannot be copied, and who takes and throws, are faults', () => {
  const { channel, say, faults, posted } = play(() => {
    throw new Error('mine');
  });
  say({ type: 'who', from: 'a' });
  channel.post({ type: 'do', id: 1, act: 'ask', args: [() => {}] });
  channel.post({ type: 'who' });
  expect(faults).toEqual(['tabs: mine', expect.stringContaining('could not be cloned')]);
  expect(posted).toEqual([{ type: 'who', from: 'me' }]);
});
