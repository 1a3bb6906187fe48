import { describe, expect, test } from 'vitest';
import { amendmentOf, type AmendedEntry, readEntry } from '../../../../shared/model/entry.ts';
import { noDevice } from '../../../../shared/model/model.ts';

const read = (routing: string, rest = '{}') => readEntry('5-0', ['r', routing, 't', rest]);

describe('an entry of the message stream', () => {
  test('message of a direct conversation', () => {
    expect(read('1 message d_x 7 6 1 alice phone important alice,bob -', '"sender":"alice"}')).toEqual({
      type: 'message',
      streamId: '5-0',
      conversation: 'd_x',
      seq: 7,
      prev: 6,
      version: 1,
      sender: 'alice',
      device: 'phone',
      class: 'important',
      users: ['alice', 'bob'],
      change: null,
      way: 'inboxes',
      at: 5,
      awaitedBy: '',
      short: false,
      tail: '"sender":"alice"}',
    });
  });

  test('message of a time that is not that of its id', () => {
    const routing = '1 message d_x 7 6 1 alice phone important alice,bob -';
    expect(readEntry('9000-1', ['r', routing, 't', 'x', 'a', '1234'])).toMatchObject({
      type: 'message',
      streamId: '9000-1',
      at: 1234,
      tail: 'x',
    });
    expect(readEntry('9000-1', ['r', routing, 't', 'x', 'a', ''])).toMatchObject({ type: 'message', at: 9000 });
    expect(readEntry('9000-1', ['r', routing, 't', 'x', 'a', 'noon'])).toMatchObject({ type: 'unknown' });
  });

  test.each([
    [['w', 'g1'], 'g1', 5],
    [['a', '4', 'w', 'g1'], 'g1', 4],
    [['w', 'g1', 'a', '4'], 'g1', 4],
    [['b', 'x', 'w', 'g1'], 'g1', 5],
    [['w'], '', 5],
  ])('message with the further fields %j: they are found by name', (further, awaitedBy, at) => {
    const routing = '1 message d_x 7 6 1 alice phone important alice,bob -';
    expect(readEntry('5-0', ['r', routing, 't', 'x', ...further])).toMatchObject({ type: 'message', awaitedBy, at });
  });

  test('message that went the short way', () => {
    const routing = '1 message d_x 7 6 1 alice phone important alice,bob -';
    for (const further of [
      ['s', '1'],
      ['a', '4', 'w', 'g1', 's', '1'],
    ])
      expect(readEntry('5-0', ['r', routing, 't', 'x', ...further])).toMatchObject({ type: 'message', short: true });
  });

  test('message that changes a member, with several spans', () => {
    expect(read('1 message g 9 8 4 bob * normal - carol:joined:2-5,8-', 'x')).toMatchObject({
      type: 'message',
      device: noDevice,
      users: null,
      change: { user: 'carol', action: 'joined', spans: '2-5,8-' },
    });
  });

  describe('amendment', () => {
    const routing = '1 amended g 9 8 4 bob phone important - - 5 2 e';
    const tail = '"sender":"bob","clientId":"c","kind":"restante.amend"';
    const amend = (words: string, ...further: string[]) => readEntry('5-0', ['r', words, 't', tail, ...further]);

    test('an edit', () => {
      expect(amend(routing, 'b', '{"text":"new"}')).toEqual({
        type: 'amended',
        streamId: '5-0',
        conversation: 'g',
        seq: 9,
        prev: 8,
        version: 4,
        sender: 'bob',
        device: 'phone',
        class: 'important',
        users: null,
        way: 'inboxes',
        at: 5,
        awaitedBy: '',
        short: false,
        tail,
        target: 5,
        targetVersion: 2,
        action: 'edit',
        body: '{"text":"new"}',
      });
    });

    test('a recall has no body; an edit may have null as its body', () => {
      const words = routing.slice(0, -1);
      expect(amend(`${words}r`, 'b', 'null')).toMatchObject({ action: 'recall', body: null });
      expect(amend(`${words}e`, 'b', 'null')).toMatchObject({ action: 'edit', body: 'null' });
    });

    test('of a direct conversation, with a way and the further fields in any order', () => {
      const direct = routing.replace(' - - ', ' alice,bob - ');
      expect(amend(`${direct} grown`, 'a', '4', 'b', '1', 'w', 'g1')).toMatchObject({
        type: 'amended',
        users: ['alice', 'bob'],
        way: 'grown',
        at: 4,
        awaitedBy: 'g1',
        body: '1',
      });
      expect(amend(`${direct} large`, 'w', 'g1', 'b', '1')).toMatchObject({ way: 'large', awaitedBy: 'g1', body: '1' });
    });

    test.each([
      ['no body field', [routing]],
      ['another action', [routing.replace(/e$/, 'x'), 'b', '1']],
      ['another way', [`${routing} wide`, 'b', '1']],
      ['a word too few', [routing.slice(0, -2), 'b', '1']],
      ['a word too many', [`${routing} large more`, 'b', '1']],
      ['a target that is no number', [routing.replace(' 5 2 ', ' five 2 '), 'b', '1']],
    ] as [string, [string, ...string[]]][])('%s: unknown', (_, [words, ...further]) => {
      expect(amend(words, ...further)).toMatchObject({ type: 'unknown' });
    });

    test('what it lays over the message', () => {
      expect(amendmentOf(amend(routing, 'b', '1', 'a', '1234') as AmendedEntry)).toEqual({
        conversation: 'g',
        seq: 5,
        amendSeq: 9,
        version: 2,
        action: 'edit',
        by: 'bob',
        at: 1234,
        body: '1',
      });
    });
  });

  test('a device by any name, also by the one that stood for none before', () => {
    for (const device of ['-', '--', '_', '0']) {
      expect(read(`1 message g 9 8 4 - ${device} normal -,bob -`, 'x')).toMatchObject({
        sender: '-',
        device,
        users: ['-', 'bob'],
        change: null,
      });
    }
  });

  test.each([
    [
      '1 created g 1700 1 1 -',
      '{"name":"N","members":["a","b"]}',
      {
        type: 'created',
        conversation: 'g',
        createdAt: 1700,
        service: true,
        version: 1,
        users: null,
        large: false,
        joined: 0,
        name: 'N',
        members: ['a', 'b'],
      },
    ],
    [
      '1 created d_x 1700 0 1 a,a',
      '{"name":null,"members":[]}',
      {
        type: 'created',
        conversation: 'd_x',
        createdAt: 1700,
        service: false,
        version: 1,
        users: ['a', 'a'],
        large: false,
        joined: 0,
        name: null,
        members: [],
      },
    ],
    [
      '1 founded g 1700 1 1 large 0',
      '{"name":"N"}',
      {
        type: 'founded',
        conversation: 'g',
        createdAt: 1700,
        service: true,
        version: 1,
        large: true,
        joined: 0,
        name: 'N',
      },
    ],
    [
      '1 founded g 1700 0 1 inboxes 1000000',
      '{"name":null}',
      {
        type: 'founded',
        conversation: 'g',
        createdAt: 1700,
        service: false,
        version: 1,
        large: false,
        joined: 1_000_000,
        name: null,
      },
    ],
    ['1 renamed g 3', '{"name":null}', { type: 'renamed', conversation: 'g', version: 3, name: null }],
    [
      '1 settings bob 7 receipts',
      'false',
      { type: 'settings', user: 'bob', version: 7, key: 'receipts', value: 'false' },
    ],
    [
      '1 settings bob 8 block:eve',
      'null',
      { type: 'settings', user: 'bob', version: 8, key: 'block:eve', value: 'null' },
    ],
    ['1 renamed g 4', '{"historyDays":30}', { type: 'renamed', conversation: 'g', version: 4, historyDays: 30 }],
    ['1 skipped g 8 1000007', '{}', { type: 'skipped', conversation: 'g', fromSeq: 8, toSeq: 1_000_007 }],
  ])('%s', (routing, rest, expected) => {
    expect(read(routing, rest)).toEqual({ streamId: '5-0', ...expected });
  });

  test.each([
    ['another format', ['r', '2 message g 9 8 4 bob - normal - -', 't', 'x']],
    ['another type', ['r', '1 amended g 9', 't', '{}']],
    ['a word too few', ['r', '1 message g 9 8 4 bob - normal -', 't', 'x']],
    ['a word too many', ['r', '1 message g 9 8 4 bob - normal - - more', 't', 'x']],
    ['no JSON where some is needed', ['r', '1 created g 1700 0 1 -', 't', '{']],
    ['a setting whose value is not JSON', ['r', '1 settings bob 7 receipts', 't', 'no']],
    ['null where an object is needed', ['r', '1 renamed g 3', 't', 'null']],
    ['other fields', ['x', '1 skipped g 8 9', 't', '{}']],
    ['no fields', []],
  ])('%s is unknown, and kept whole', (_, fields) => {
    expect(readEntry('5-0', fields)).toEqual({ type: 'unknown', streamId: '5-0', fields });
  });
});
