import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { createClient } from '../../../../sdk/src/client/client.ts';
import { run } from './seeded-run.ts';

/** Faults that are planted into the client, one in each rule: the seeded runs must find every one of them. */

type Plant = { rule: string; file: string; text: string; fault: string };

const plants: Plant[] = [
  {
    rule: 'the position is stored with its messages',
    file: 'storage/writer.ts',
    text: 'await storage.write(batch);\n    written',
    fault: 'if (batch.meta) await storage.write({ meta: batch.meta });\n    await storage.write(batch);\n    written',
  },
  {
    rule: 'received is said for what is stored',
    file: 'intake/intake.ts',
    text: 'catchUp.heard();\n    arrivals.push',
    fault: 'catchUp.heard();\n    received.stored(Math.max(...entries.map(({ at }) => at ?? 0)));\n    arrivals.push',
  },
  {
    rule: 'one batch is stored at a time',
    file: 'storage/writer.ts',
    text: 'if (!busy) writing = write();',
    fault: 'writing = write();',
  },
  {
    rule: 'a seq is present only with its message',
    file: 'storage/row.ts',
    text: 'const here = { fromSeq: seq, toSeq: seq };',
    fault: 'const here = { fromSeq: 1, toSeq: seq };',
  },
  {
    rule: 'a small gap is read before what lies above it',
    file: 'intake/order.ts',
    text: 'export const fillSeqs = 500;',
    fault: 'export const fillSeqs = 0;',
  },
  {
    rule: 'what waits for a hole is handed out by rising seq',
    file: 'intake/order.ts',
    text: 'waiting.findLastIndex((other) => other.taken.message.seq < seq) + 1',
    fault: 'waiting.length',
  },
  {
    rule: 'the newer amendment is in force',
    file: 'intake/amended.ts',
    text: 'before.id === after.id && amendSeqOf(before) > amendSeqOf(after) ? before : after',
    fault: 'after',
  },
  {
    rule: 'an amendment is laid over its message',
    file: 'intake/take.ts',
    text: 'const amended = underAmendment(target, amendment);',
    fault: 'const amended = target;',
  },
  {
    rule: 'a message is stored before it is sent',
    file: 'outbox/lanes.ts',
    text: 'next.findIndex((item) => !item.isStored)',
    fault: '-1',
  },
  {
    rule: 'a repeated message keeps its id',
    file: 'outbox/transmission.ts',
    text: 'wire.ask({ ...frameOf(item.entry), ...after })',
    fault: 'wire.ask({ ...frameOf(item.entry), clientId: `${item.entry.clientId}-${item.entry.attempts}`, ...after })',
  },
  {
    rule: 'a send names the one before it',
    file: 'outbox/transmission.ts',
    text: 'before === undefined ? {} : { after: before.entry.clientId }',
    fault: '{}',
  },
  {
    rule: 'an outcome that is not known is no refusal',
    file: 'outbox/transmission.ts',
    text: "!error.retryable && error.code !== 'unauthenticated'",
    fault: "(!error.retryable || error.code === 'unknown_outcome')",
  },
  {
    rule: 'what waited in an earlier run is sent',
    file: 'outbox/outbox.ts',
    text: 'if (item === undefined) adopt(shown);',
    fault: "if (item === undefined && shown.state !== 'queued') adopt(shown);",
  },
];

/** So many seeds may pass until one finds the fault. */
const seedsMost = 60;
const source = (name: string): string => fileURLToPath(new URL(`../../../../sdk/src/${name}`, import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-planted-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function planted({ file, text, fault }: Plant, into: string): Promise<typeof createClient> {
  let found = 0;
  await build({
    input: source('entries/client.ts'),
    plugins: [
      {
        name: 'plant',
        transform(code, id) {
          if (id !== source(file)) return null;
          found = code.split(text).length - 1;
          return code.replace(text, fault);
        },
      },
    ],
    output: { file: into },
    logLevel: 'silent',
  });
  expect(found).toBe(1);
  return ((await import(into)) as { createClient: typeof createClient }).createClient;
}

test.each(plants)('$rule', { timeout: 300_000 }, async (plant) => {
  const create = await planted(plant, join(dir, `${plants.indexOf(plant)}.mjs`));
  let seed = 1;
  const holds = (): Promise<boolean> =>
    run(seed, create).then(
      () => true,
      () => false,
    );
  while (seed <= seedsMost && (await holds())) seed++;
  expect(seed).toBeLessThanOrEqual(seedsMost);
});
