import { describe, expect, test } from 'vitest';
import { idPattern } from '../../../../shared/model/model.ts';
import { generateLog } from '../../../../tools/rehearsal/irc/generate.ts';
import { createNickMap } from '../../../../tools/rehearsal/irc/nicks.ts';
import { parseLog, type LogEvent } from '../../../../tools/rehearsal/irc/parse.ts';
import { planSteps } from '../../../../tools/rehearsal/irc/plan.ts';
import { createRandom } from '../../../../tools/rehearsal/irc/random.ts';

function brief(event: LogEvent): unknown[] {
  if (event.type === 'line' || event.type === 'action') return [event.type, event.nick, event.text];
  return event.type === 'rename' ? [event.type, event.nick, event.to] : [event.type, event.nick];
}
const parsed = (...lines: string[]): unknown[][] =>
  parseLog(lines.map((line) => `${line}\n`).join('')).events.map(brief);

describe('parsing', () => {
  test('lines and actions keep their text byte for byte', () => {
    expect(
      parsed(
        '[09:14] <will>   two spaces, and one behind ',
        '[09:15] <|QuaD-> <b> [x] * "größer" 🙂',
        '[09:15]  * Pelo sneaks up',
        '[09:16] <x>',
      ),
    ).toEqual([
      ['line', 'will', '  two spaces, and one behind '],
      ['line', '|QuaD-', '<b> [x] * "größer" 🙂'],
      ['action', 'Pelo', 'sneaks up'],
      ['line', 'x', ''],
    ]);
  });

  test('joins, leaves, kicks and renames', () => {
    expect(
      parsed(
        '=== Biohazard [i=Biohazar@blfd-4db578aa.example.de]  has joined #ubuntu',
        '=== FireEgl [Proteus811@70.144.11.215]  has joined #Ubuntu',
        '=== sangria [n=jaime@core.example.com]  has left #ubuntu ["Leaving"] ',
        '=== devFran [~Fran@84-120-105-69.example.com]  has left #Ubuntu []',
        '=== [Seawolf]  [n=seawolf@host40.example.it]  has left #ubuntu ["Leaving]',
        '=== ompaul was kicked off #ubuntu by Seveas (Seveas)',
        '=== natea is now known as natea|nyc',
      ),
    ).toEqual([
      ['join', 'Biohazard'],
      ['join', 'FireEgl'],
      ['leave', 'sangria'],
      ['leave', 'devFran'],
      ['leave', '[Seawolf]'],
      ['leave', 'ompaul'],
      ['rename', 'natea', 'natea|nyc'],
    ]);
  });

  test('a nick that the archive split behind a bracket is put together again', () => {
    expect(
      parsed(
        '=== [B] olinho [n=b@201.67.184.74]  has joined #ubuntu',
        '[12:00] <zcat[1] > torrenting',
        '[12:45] <[zero] > hi',
      ),
    ).toEqual([
      ['join', '[B]olinho'],
      ['line', 'zcat[1]', 'torrenting'],
      ['line', '[zero]', 'hi'],
    ]);
  });

  test('what only looks like an event is something that was said', () => {
    expect(
      parsed(
        '=== tsw has also windows now, for drawing few elctronic schematics',
        '=== bob has joined the army',
        '=== bob is now known as the king of sound',
        '=== JanC has left the building [really]',
        '[09:14] <alice> === bob [n=b@host]  has joined #ubuntu',
      ).map(([type]) => type),
    ).toEqual(['action', 'action', 'action', 'action', 'line']);
  });

  test('modes, topics and unknown lines are counted and left out', () => {
    const log = parseLog(
      '=== mode/#ubuntu [+o ompaul]  by ChanServ\n=== ..[topic/#ubuntu:Seveas] : Happy Day\nsomething else\n\n',
    );
    expect(log).toEqual({ events: [], ignored: 4 });
  });

  test('carriage returns and a missing last newline do no harm', () => {
    expect(parseLog('[09:14] <a> x\r\n[09:15] <b> y').events.map(brief)).toEqual([
      ['line', 'a', 'x'],
      ['line', 'b', 'y'],
    ]);
  });

  test('minutes run on past midnight and never fall', () => {
    const { events } = parseLog(
      [
        '=== a [a@h]  has joined #x',
        '[23:58] <a> 1',
        '[23:57] <a> a clock set back',
        '[00:01] <a> 2',
        '=== b [b@h]  has joined #x',
        '[00:02] <a> 3',
      ].join('\n'),
    );
    expect(events.map(({ minute }) => minute)).toEqual([1438, 1438, 1438, 1441, 1441, 1442]);
  });
});

describe('ids of nicks', () => {
  test('different nicks never share one, and each is a valid id', () => {
    const nicks = [
      'foo|bar',
      'foo-bar',
      'foo`bar',
      'foo-bar-2',
      'Foo-bar',
      '[zero]',
      ']zero[',
      '日本',
      `${'x'.repeat(80)}1`,
      `${'x'.repeat(80)}2`,
    ];
    const idOf = createNickMap('run-');
    const ids = nicks.map(idOf);
    expect(new Set(ids).size).toBe(nicks.length);
    for (const id of ids) expect(id).toMatch(idPattern);
    expect(nicks.map(idOf)).toEqual(ids);
  });
});

describe('the plan', () => {
  const plan = (most: number, ...lines: string[]): string[] =>
    planSteps(parseLog(lines.join('\n')).events, most).map(
      (step) => `${step.type} ${step.nick}${step.type === 'leave' ? ` ${step.how}` : ''}`,
    );

  test('a nick that speaks without a join is added first, and a member is not added again', () => {
    expect(plan(9, '[09:00] <a> x', '=== a [a@h]  has joined #x', '[09:00] <a> y')).toEqual([
      'join a',
      'say a',
      'say a',
    ]);
  });

  test('the part of a nick that is no member removes nobody', () => {
    expect(plan(9, '=== a [a@h]  has left #x []', '[09:00] <b> x')).toEqual(['join b', 'say b']);
  });

  test('a rename is a leave and a join, also onto a nick that is there', () => {
    expect(plan(9, '[09:00] <a> x', '=== a is now known as b')).toEqual(['join a', 'say a', 'leave a left', 'join b']);
    expect(plan(9, '[09:00] <a> x', '[09:00] <b> x', '=== a is now known as b')).toEqual([
      'join a',
      'say a',
      'join b',
      'say b',
      'leave a left',
    ]);
  });

  test('above the most, whoever was silent for longest is removed', () => {
    expect(plan(2, '[09:00] <a> x', '[09:00] <b> x', '[09:00] <a> y', '[09:00] <c> x')).toEqual([
      'join a',
      'say a',
      'join b',
      'say b',
      'say a',
      'leave b removed',
      'join c',
      'say c',
    ]);
  });
});

describe('generated logs', () => {
  test('the same seed gives the same log, another one another', () => {
    const text = generateLog(300, createRandom(7));
    expect(generateLog(300, createRandom(7))).toBe(text);
    expect(generateLog(300, createRandom(8))).not.toBe(text);
  });

  test('have every kind of event, run past midnight, and are understood line by line', () => {
    const text = generateLog(3000, createRandom(1));
    const { events, ignored } = parseLog(text);
    expect(text.split('\n')).toHaveLength(3001);
    expect(events.length + ignored).toBe(3000);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['line', 'action', 'join', 'leave', 'rename']));
    expect(events.at(-1)!.minute).toBeGreaterThan(1440);
    expect(ignored).toBeLessThan(100);
  });
});
