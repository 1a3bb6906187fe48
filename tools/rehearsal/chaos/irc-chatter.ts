import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseLog } from '../irc/parse.ts';
import { planSteps } from '../irc/plan.ts';
import type { Random } from '../irc/random.ts';

/**
 * What people said on a real IRC channel, as steps of one group: who of our users joins, leaves and says what. A nick
 * takes a free user when it joins and gives it back when it leaves, so the group's members change as the channel's did.
 */
export type ChatterStep =
  | { type: 'join'; user: string }
  | { type: 'leave'; user: string }
  | { type: 'say'; user: string; text: string };

/**
 * The steps of one log of the folder, chosen at random, without end; null if there is no log. `users` may be members.
 */
export function readChatter(folder: string, users: readonly string[], random: Random): (() => ChatterStep) | null {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  if (names.length === 0) return null;
  const log = parseLog(readFileSync(join(folder, random.pick(names.sort())), 'utf8'));
  const steps = planSteps(log.events, users.length);
  if (steps.length === 0) return null;
  const free = [...users];
  const userOf = new Map<string, string>();
  let at = random.between(0, steps.length - 1);

  return () => {
    for (;;) {
      const step = steps[at]!;
      at = (at + 1) % steps.length;
      const known = userOf.get(step.nick);
      if (step.type === 'say') {
        // The walk began in the middle of the log: those who had joined before that join with their first word.
        if (known !== undefined) return { type: 'say', user: known, text: step.text };
        at = (at + steps.length - 1) % steps.length;
      }
      if (step.type === 'leave') {
        if (known === undefined) continue;
        userOf.delete(step.nick);
        free.push(known);
        return { type: 'leave', user: known };
      }
      if (known !== undefined) continue;
      const user = free.shift();
      if (user === undefined) {
        // Nobody is free: whoever has been there for longest makes room.
        const [nick, first] = userOf.entries().next().value!;
        userOf.delete(nick);
        free.push(first);
        return { type: 'leave', user: first };
      }
      userOf.set(step.nick, user);
      return { type: 'join', user };
    }
  };
}
