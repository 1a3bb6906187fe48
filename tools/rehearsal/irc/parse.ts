/**
 * Parses the log of an IRC channel in the form of public archives:
 *
 *   [09:14] <crimsun> text               a line
 *   [04:48]  * unperson sits             an action
 *   === bob [n=bob@host]  has joined #x  a join, likewise `has left #x ["why"]`
 *   === bob is now known as rob          a rename
 *   === bob nods at alice                an action of the older kind
 *   === bob was kicked off #x by rob ()  a leave
 *   === mode/#x [+o bob]  by ChanServ    and topics: noise
 *
 * A speaker can write anything after the nick, so only the exact form of an event counts as one: "=== tsw has also
 * windows now" is a sentence by tsw. Archives put a space after every "]" of a nick (`[B] olinho`); it is removed.
 * Times have only minutes, and a file may run past midnight.
 */
export type LogEvent =
  | { type: 'line' | 'action'; nick: string; text: string; line: number; minute: number }
  | { type: 'join' | 'leave'; nick: string; line: number; minute: number }
  | { type: 'rename'; nick: string; to: string; line: number; minute: number };

export type ParsedLog = {
  events: LogEvent[];
  /** Lines about nobody: modes, topics, and lines of unknown form. */
  ignored: number;
};

const spoken = /^\[(\d\d):(\d\d)\] <((?:[^\s>]*\] )*[^\s>]*)> ?(.*)$/s;
const acted = /^\[(\d\d):(\d\d)\] +\* (\S+) ?(.*)$/s;
const moved = /^=== ((?:\S*\] )*\S*?) *\[\S+@\S+\] +has (joined|left) #\S+(?: \[.*\])? *$/s;
const renamed = /^=== (\S+) is now known as (\S+)$/s;
const kicked = /^=== (\S+) was kicked off #\S+ by \S+ \(.*\)$/s;
const actedEarlier = /^=== ([A-Za-z[\]\\`_^{|}][\w[\]\\`^{|}-]*) (.+)$/s;

const nickOf = (written: string): string => written.replaceAll(' ', '');

/** A step back by more than this is midnight; a smaller one is a clock correction. */
const midnightStep = 60;

/**
 * `minute` counts from 00:00 of the first day and never falls. An event without a time has the time of the line before.
 */
export function parseLog(text: string): ParsedLog {
  const events: LogEvent[] = [];
  let ignored = 0;
  let day = 0;
  let ofDay = 0;
  let minute = 0;

  const tick = (hours: string, minutes: string): void => {
    const now = Number(hours) * 60 + Number(minutes);
    if (now < ofDay - midnightStep) day++;
    ofDay = now;
    minute = Math.max(minute, day * 1440 + now);
  };

  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [index, raw] of lines.entries()) {
    const whole = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const line = index + 1;
    const said = spoken.exec(whole) ?? acted.exec(whole);
    if (said !== null) {
      tick(said[1]!, said[2]!);
      events.push({ type: whole[8] === '<' ? 'line' : 'action', nick: nickOf(said[3]!), text: said[4]!, line, minute });
      continue;
    }
    const move = moved.exec(whole);
    if (move !== null) {
      events.push({ type: move[2] === 'joined' ? 'join' : 'leave', nick: nickOf(move[1]!), line, minute });
      continue;
    }
    const rename = renamed.exec(whole);
    if (rename !== null) {
      events.push({ type: 'rename', nick: rename[1]!, to: rename[2]!, line, minute });
      continue;
    }
    const kick = kicked.exec(whole);
    if (kick !== null) {
      events.push({ type: 'leave', nick: kick[1]!, line, minute });
      continue;
    }
    const action = actedEarlier.exec(whole);
    if (action !== null) events.push({ type: 'action', nick: action[1]!, text: action[2]!, line, minute });
    else ignored++;
  }
  // Lines before the first time get about that time.
  const first = events.find((event) => event.minute > 0)?.minute ?? 0;
  for (const event of events) event.minute = Math.max(event.minute, first);
  return { events, ignored };
}
