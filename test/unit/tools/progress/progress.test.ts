import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProgress, during, type Output } from '../../../../tools/progress/progress.mjs';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream that keeps what was written since it was asked last. */
function createOutput(terminal?: { columns: number }): Output & { take(): string } {
  let text = '';
  return {
    ...(terminal === undefined ? {} : { isTTY: true, ...terminal }),
    write: (more) => void (text += more),
    take() {
      const taken = text;
      text = '';
      return taken;
    },
  };
}

describe('in a file or pipe', () => {
  test('a command that takes less than two seconds says nothing', () => {
    const out = createOutput();
    const { doing, end } = createProgress(out);
    doing('asking Redis');
    vi.advanceTimersByTime(1900);
    end();
    vi.advanceTimersByTime(60_000);
    expect(out.take()).toBe('');
  });

  test('a slow one says after two seconds, and again every five, what it does now', () => {
    const out = createOutput();
    const { doing } = createProgress(out);
    doing('waiting for Redis');
    vi.advanceTimersByTime(1500);
    let count = 7;
    doing(() => `compared ${count} conversations`);
    vi.advanceTimersByTime(500);
    count = 9;
    vi.advanceTimersByTime(5000);
    expect(out.take()).toBe('compared 7 conversations (1 s)\ncompared 9 conversations (6 s)\n');
    vi.advanceTimersByTime(60_000);
    expect(out.take().trimEnd().split('\n')).toHaveLength(12);
  });

  test('says the share and the time that is left, from what was done since it began', () => {
    const out = createOutput();
    const { doing } = createProgress(out);
    let done = 100;
    doing(() => ({ done, total: 200, text: `${done} of 200 users` }));
    done = 120;
    vi.advanceTimersByTime(2000);
    expect(out.take()).toBe('60%  120 of 200 users (2 s, 8 s left)\n');
    done = 230;
    vi.advanceTimersByTime(5000);
    expect(out.take()).toBe('100%  230 of 200 users (7 s, 0 s left)\n');
  });

  test('writes no escape sequences and no carriage returns', () => {
    const out = createOutput();
    const { doing, say, end } = createProgress(out, { env: {} });
    doing(during(60_000, 'sending'));
    vi.advanceTimersByTime(30_000);
    say('a line');
    end();
    // oxlint-disable-next-line no-control-regex
    expect(out.take()).not.toMatch(/[\u001b\r]/);
  });
});

describe('on a terminal', () => {
  const lastLine = (text: string): string => text.split('\r').at(-1)!.replace('\u001b[K', '');
  const drawn = (columns: number, env: NodeJS.ProcessEnv = { NO_COLOR: '1' }): string => {
    const out = createOutput({ columns });
    const { doing } = createProgress(out, { env });
    doing(during(30_000, 'sending to everybody'));
    vi.advanceTimersByTime(15_000);
    return lastLine(out.take());
  };

  test('draws bar, per cent, text and the time left in one line', () => {
    expect(drawn(80)).toBe('[##########----------]  50%  sending to everybody  15 s left');
  });

  test.each([200, 80, 60, 48, 47, 30, 12, 3])(
    'a line has fewer characters than the %i columns of the terminal',
    (width) => {
      const line = drawn(width);
      expect(line.length).toBeLessThan(width);
      expect(line).toMatch(width > 12 ? /50%/ : /./);
    },
  );

  test('has colour, unless NO_COLOR is set', () => {
    expect(drawn(80, {})).toContain('\u001b[32m##########\u001b[39m');
    expect(drawn(80, { NO_COLOR: '1' })).not.toContain('\u001b');
  });

  test('follows the width of the terminal, and draws ten times a second at most', () => {
    const out = createOutput({ columns: 100 });
    const { doing } = createProgress(out, { env: { NO_COLOR: '1' } });
    doing('x'.repeat(300));
    vi.advanceTimersByTime(3000);
    const lines = out.take().split('\r').slice(1);
    expect(lines.length).toBeLessThanOrEqual(11);
    expect(lines.at(-1)).toBe(`${'x'.repeat(93)}…  3 s\u001b[K`);
    out.columns = 40;
    vi.advanceTimersByTime(100);
    expect(lastLine(out.take())).toBe(`${'x'.repeat(33)}…  3 s`);
  });

  test('makes place for lines of the answer on the same terminal, and is gone at the end', () => {
    const [out, stdout] = [createOutput({ columns: 80 }), createOutput({ columns: 80 })];
    const { write } = stdout;
    const { doing, say, end } = createProgress(out, { beside: stdout });
    doing('reading');
    vi.advanceTimersByTime(2000);
    out.take();
    stdout.write('an answer\n');
    expect([out.take(), stdout.take()]).toEqual(['\r\u001b[K', 'an answer\n']);
    vi.advanceTimersByTime(200);
    out.take();
    say('a line');
    expect(out.take()).toBe('\r\u001b[Ka line\n');
    vi.advanceTimersByTime(200);
    out.take();
    end();
    expect(out.take()).toBe('\r\u001b[K');
    expect(stdout.write).toBe(write);
    vi.advanceTimersByTime(10_000);
    expect(out.take()).toBe('');
  });

  test('that cannot move its cursor gets lines', () => {
    const out = createOutput({ columns: 80 });
    const { doing } = createProgress(out, { env: { TERM: 'dumb' } });
    doing('reading');
    vi.advanceTimersByTime(2000);
    expect(out.take()).toBe('reading (2 s)\n');
  });
});
