import type { LogEvent } from './parse.ts';

/**
 * The steps to replay a log: joins, leaves and messages, in the order of the log.
 *
 * A nick is a user. A speaker who has not joined joins first. A rename is a leave of the old nick and a join of the new
 * one. That makes two more membership boundaries to check, and these logs do not tell who is the same person. Such logs
 * record leaves but not lost connections, so members would pile up. Above `most` members, the one silent for longest is
 * removed.
 */
export type Step =
  | { type: 'join'; nick: string }
  /** `removed`: by somebody else. */
  | { type: 'leave'; nick: string; how: 'left' | 'removed' }
  | { type: 'say'; nick: string; kind: 'text' | 'action'; text: string; line: number };

export function planSteps(events: LogEvent[], most: number): Step[] {
  const steps: Step[] = [];
  /** In the order of the last activity: the first one has been silent for longest. */
  const present = new Set<string>();

  const leave = (nick: string, how: 'left' | 'removed'): void => {
    if (present.delete(nick)) steps.push({ type: 'leave', nick, how });
  };
  const enter = (nick: string): void => {
    if (present.delete(nick)) {
      present.add(nick);
      return;
    }
    const [silent] = present;
    if (present.size >= most && silent !== undefined) leave(silent, 'removed');
    present.add(nick);
    steps.push({ type: 'join', nick });
  };

  for (const event of events) {
    if (event.type === 'line' || event.type === 'action') {
      enter(event.nick);
      const kind = event.type === 'line' ? 'text' : 'action';
      steps.push({ type: 'say', nick: event.nick, kind, text: event.text, line: event.line });
    } else if (event.type === 'rename') {
      leave(event.nick, 'left');
      enter(event.to);
    } else if (event.type === 'join') enter(event.nick);
    else leave(event.nick, 'left');
  }
  return steps;
}
