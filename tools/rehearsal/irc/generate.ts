import type { Random } from './random.ts';

/**
 * Generates a log of the form that parse.ts reads, for runs without a file. People come, talk, rename themselves and
 * go. Some speak without having joined, some lines only look like events, and the clock passes midnight.
 */

const beginnings = ['kle', 'cri', 'bo', 'tsw', 'ali', 'quad', 'zed', 'mo', 'fra', 'sim', 'hou', 'jan'];
const endings = ['drac', 'msun', 'ra', 'eric', 'nka', '-work', '_', '|away', '^', '`', '[zero]', '2004'];
const words = [
  'ubuntu',
  'mplayer',
  'does',
  'the',
  'kernel',
  'I',
  'have',
  'no',
  'sound',
  'try',
  'apt-get',
  'install',
  'again',
  'why?',
  'thanks!',
  'http://example.org/a?b=c&d',
  '=== bob has joined',
  'größer',
  '日本',
  '🙂',
  '<none>',
  '"quoted"',
  '\\o/',
];

const pad = (number: number): string => String(number).padStart(2, '0');

/** `count` lines, each ending with a newline. */
export function generateLog(count: number, random: Random): string {
  const present: string[] = [];
  const gone: string[] = [];
  let minute = random.between(8 * 60, 22 * 60);
  let made = 0;

  const newNick = (): string => `${random.pick(beginnings)}${random.pick(endings)}${made++ % 7 === 0 ? '' : made}`;
  const text = (): string => Array.from({ length: random.between(1, 14) }, () => random.pick(words)).join(' ');
  const stamp = (): string => `[${pad(Math.floor(minute / 60) % 24)}:${pad(minute % 60)}]`;
  const host = (): string => `[n=user@host-${random.between(1, 999)}.example.org]`;

  const come = (): string => {
    const nick =
      gone.length > 0 && random.chance(0.3) ? gone.splice(random.between(0, gone.length - 1), 1)[0]! : newNick();
    if (!present.includes(nick)) present.push(nick);
    return `=== ${nick} ${host()}  has joined #ubuntu`;
  };
  const go = (): string => {
    const [nick] = present.splice(random.between(0, present.length - 1), 1) as [string];
    gone.push(nick);
    return `=== ${nick} ${host()}  has left #ubuntu [${random.chance(0.4) ? '"Leaving"' : ''}] `;
  };
  const rename = (): string => {
    const at = random.between(0, present.length - 1);
    const from = present[at]!;
    const to = newNick();
    if (present.includes(to)) present.splice(at, 1);
    else present[at] = to;
    return `=== ${from} is now known as ${to}`;
  };
  const speak = (): string => {
    const silent = random.chance(0.03);
    const nick = silent ? newNick() : random.pick(present);
    if (!present.includes(nick)) present.push(nick);
    return `${stamp()} <${nick}> ${text()}`;
  };

  const one = (): string => {
    if (random.chance(0.35)) minute += random.between(1, 3);
    const dice = random.next();
    if (present.length < 5 || dice < 0.16) return come();
    if (dice < 0.21) return go();
    if (dice < 0.22) return rename();
    if (dice < 0.23) return `=== mode/#ubuntu [+o ${random.pick(present)}]  by ChanServ`;
    if (dice < 0.24) return `=== ${random.pick(present).replace(/[^A-Za-z_]/g, '') || 'bob'} has also windows now`;
    if (dice < 0.26) return `${stamp()}  * ${random.pick(present)} ${text()}`;
    return speak();
  };

  return Array.from({ length: count }, one)
    .map((line) => `${line}\n`)
    .join('');
}
