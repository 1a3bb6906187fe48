import type { Random } from '../../irc/random.ts';

/** What is said: mostly short, sometimes long, in several scripts, and now and then not a text at all. */
const words = [
  'so',
  'then',
  'maybe',
  'später',
  'où',
  '你好',
  '再见',
  '🎈',
  'the',
  'train',
  'is',
  'late',
  '"quoted"',
  '\\',
  '\n',
];

const mostLetters = 7000;

export function createBodies(random: Random): () => unknown {
  let number = 0;
  const text = (): string => {
    const length = random.chance(0.01) ? random.between(1000, mostLetters) : random.between(3, 80);
    let said = '';
    while (said.length < length) said += `${random.pick(words)} `;
    return said;
  };
  return () => {
    number += 1;
    if (random.chance(0.03))
      return random.pick([null, true, number, '', [], [number, [number]], { number: { number } }]);
    return { number, text: text() };
  };
}
