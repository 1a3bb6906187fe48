import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rank } from '../../../sdk/src/prefetch/api.ts';
import { lastActivity } from '../../../sdk/src/prefetch/choose.ts';
import { parseLog } from '../irc/parse.ts';
import { emptyTally, evaluateDay, evaluationOf } from './evaluate.ts';

/** `node tools/rehearsal/prefetch/main.ts <folder>`: how well rankings do on the IRC logs (`*.txt`) of a folder. */

const ranks: Record<string, Rank> = {
  'last activity (default)': lastActivity,
  'unread first': (candidates) => candidates.map(({ unread, at }) => unread * 1e15 + at),
  frequency: (candidates) => candidates.map(({ lastSeq }) => lastSeq),
};

const folder = process.argv[2];
if (folder === undefined) {
  console.error('usage: node tools/rehearsal/prefetch/main.ts <folder of IRC logs>');
  process.exit(2);
}
const names = (await readdir(folder)).filter((name) => name.endsWith('.txt') || name.endsWith('.log')).sort();
const days = await Promise.all(names.map(async (name) => parseLog(await readFile(join(folder, name), 'utf8')).events));
for (const least of [1, 4]) {
  console.log(`writers with at least ${least} conversations:`);
  for (const [name, rank] of Object.entries(ranks)) {
    const tally = emptyTally();
    for (const events of days) evaluateDay(tally, events, rank, least);
    const { choices, candidates, reachable, hits } = evaluationOf(tally);
    const shares = [hits[1], hits[3], hits[5], reachable].map((share) => share.toFixed(4));
    console.log(
      `  ${name}: ${choices} choices among ${candidates.toFixed(1)} conversations; ` +
        `hit@1 ${shares[0]}, hit@3 ${shares[1]}, hit@5 ${shares[2]} of ${shares[3]} reachable`,
    );
  }
}
