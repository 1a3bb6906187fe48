import type { LogEvent } from './parse.ts';

/**
 * What has to be done to replay a log: who is let in, who leaves, who says what, in the order of the log.
 *
 * A nick is a user. Who speaks without having joined is let in first. A rename is the leave of the old nick and the
 * join of the new one: it makes two more borders of membership to be checked, and these logs do not say who is the same
 * person. Such logs record who leaves the channel but not who loses the connection, so members would pile up: above
 * `most` of them, whoever was silent for longest is removed.
 */
export type Step =
  | { type: 'join'; nick: string }
  /** `removed`: somebody else did it. */
  | { type: 'leave'; nick: string; how: 'left' | 'removed' }
  | { type: 'say'; nick: string; kind: 'text' | 'action'; text: string; line: number };

export function planSteps(events: LogEvent[], most: number): Step[] {
  const steps: Step[] = [];
  /** In the order of the last sign of life: the first was silent for longest. */
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
