import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ZodType } from 'zod';
import { clientFrames } from '../../shared/protocol/client-frames.ts';
import { serverFrames } from '../../shared/protocol/server-frames.ts';
import { type Example, readExamples } from '../../tools/docgen/examples.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type Device, openDevice } from '../support/device.ts';

/**
 * PROTOCOL.md, run. Its client frames and requests are sent in the order of the document to a cluster that nobody used
 * before, so that seqs and positions are those of the document too; what differs from run to run (`volatile`) is
 * compared by type, and under its documented name it has to be the same everywhere.
 */
const examples = readExamples(readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8'));
const at = ({ line }: Example): string => `PROTOCOL.md:${line}`;

const volatileNumbers = new Set([
  'at',
  'expiresAt',
  'now',
  'createdAt',
  'lastSeen',
  'retryAfterMs',
  'reconnectAfterMs',
  'peerReceivedSeq',
  'peerReadSeq',
]);
const messageId = /^\d+-\d+-\d+$/;
const randomUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/;
const cursor = /^\d+\.\w+$/;
const isVolatile = (name: string, value: string): boolean =>
  name === 'epoch' ||
  (name === 'id' && messageId.test(value)) ||
  (name === 'clientId' && randomUuid.test(value)) ||
  (name === 'next' && cursor.test(value));
/** What the document may show the beginning of. */
const shortened = new Set(['items', 'messages', 'features']);

/** What the document calls by another name: documented text -> the real one. */
const names = new Map<string, string>();

const withNames = (text: string): string =>
  [...names].reduce((all, [documented, real]) => all.replaceAll(documented, real), text);

/** Where `real` is not what the document says. `error` texts may change. */
function differences(documented: unknown, real: unknown, name: string): string[] {
  if (Array.isArray(documented) && Array.isArray(real)) {
    const fits =
      shortened.has(name) && documented.length > 0
        ? real.length >= documented.length
        : real.length === documented.length;
    if (!fits) return [`${name} has ${documented.length} elements, really ${real.length}`];
    return documented.flatMap((element, i) => differences(element, real[i], name));
  }
  if (typeof documented === 'object' && documented !== null && typeof real === 'object' && real !== null) {
    const [wanted, found] = [Object.keys(documented).sort(), Object.keys(real).sort()];
    if (wanted.join() !== found.join()) return [`${name} has the fields ${wanted.join()}, really ${found.join()}`];
    return wanted.flatMap((field) =>
      differences((documented as Record<string, unknown>)[field], (real as Record<string, unknown>)[field], field),
    );
  }
  if (typeof documented === 'string' && typeof real === 'string' && isVolatile(name, documented)) {
    const known = names.get(documented);
    if (known === undefined) names.set(documented, real);
    return known === undefined || known === real ? [] : [`${name} ${documented} stands for ${known}, really ${real}`];
  }
  if (typeof documented === 'number' && typeof real === 'number' && volatileNumbers.has(name)) return [];
  return documented === real ? [] : [`${name} is ${JSON.stringify(documented)}, really ${JSON.stringify(real)}`];
}

describe('every example', () => {
  test('there are examples of every frame', () => {
    const shown = (is: 'client' | 'server') =>
      new Set(examples.flatMap((example) => (example.is === is ? [example.frame.type] : [])));
    expect([...shown('client')].sort()).toEqual(Object.keys(clientFrames).sort());
    expect([...shown('server')].sort()).toEqual(Object.keys(serverFrames).sort());
  });

  test.each(
    examples.flatMap((example) =>
      example.is === 'client' || example.is === 'server' ? [[at(example), example] as const] : [],
    ),
  )('%s is a frame of its schema, without another field', (_, { is, frame }) => {
    const schemas: Record<string, ZodType> = is === 'client' ? clientFrames : serverFrames;
    expect(schemas[frame.type]!.parse(frame)).toEqual(frame);
  });
});

describe('the documented conversation', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({
      search: true,
      env: { INBOX_MAX_ENTRIES: '100', SEND_RATE_PER_USER: '', FANOUT_MAX_MEMBERS: '4' },
    });
  });
  afterAll(() => cluster.stop());

  const tokenOf = (caller: string): string =>
    caller === 'service' ? cluster.token('backend', { scope: 'service' }) : cluster.token(caller);
  const real = (value: unknown): string =>
    withNames(JSON.stringify(value)).replace(/<token of (\w+)>/g, (_, user: string) => tokenOf(user));

  const devices = new Map<string, { device: Device; seen: Set<object> }>();
  let answer: { status: number; body: unknown } | null = null;
  let flooded = 0;
  let ending: Promise<void> = Promise.resolve();

  async function run([word, ...words]: string[]): Promise<void> {
    switch (word) {
      case 'flood': {
        const [sender = '', to, count] = words;
        for (let i = 0; i < Number(count); i++) {
          const clientId = `flood-${++flooded}`;
          const { status } = await cluster.http(tokenOf(sender), 'POST', '/messages', {
            clientId,
            to,
            kind: 'text',
            body: { text: String(flooded) },
          });
          expect(status).toBe(201);
        }
        return cluster.settled('inbox');
      }
      case 'connect': {
        const [user = '', device = ''] = words;
        devices.set(`${user}/${device}`, { device: await cluster.connect(user, { device }), seen: new Set() });
        return;
      }
      case 'indexed': {
        const [user = '', count, q = ''] = words;
        const found = async () => (await cluster.http(tokenOf(user), 'GET', `/search?q=${q}`)).body;
        const complete = async () => {
          const page = await found();
          expect(page).toMatchObject({ messages: { length: Number(count) } });
          expect(page).not.toHaveProperty('indexing');
        };
        await vi.waitFor(complete, { timeout: 10_000, interval: 50 });
        return;
      }
      case 'settled':
        return cluster.settled();
      case 'end':
        ending = cluster.end(words[0]!);
        return;
      case 'start':
        await ending;
        return cluster.start(words[0]!);
      default:
        throw new Error(`no such word: ${word}`);
    }
  }

  async function happens(example: Example): Promise<string[]> {
    switch (example.is) {
      case 'run':
        await run(example.words);
        return [];
      case 'client': {
        const { device: name, frame } = example;
        if (frame.type === 'hello') {
          if (frame['mode'] === 'lazy') await cluster.settled();
          devices.set(name, { device: await openDevice(cluster.url()), seen: new Set() });
        }
        devices.get(name)!.device.sendText(real(frame));
        return [];
      }
      case 'server': {
        const { device, seen } = devices.get(example.device)!;
        const { type, re } = example.frame;
        const frame = await device.until(`${at(example)}, a frame ${type} ${String(re ?? '')}`, () =>
          device.frames.find((one) => one.type === type && one.re === re && !seen.has(one)),
        );
        seen.add(frame);
        return differences(example.frame, frame, type);
      }
      case 'request':
        expect(answer, 'the answer before was not shown').toBeNull();
        answer = await cluster.http(
          tokenOf(example.caller),
          example.method,
          withNames(example.path).replace(/^\/v1/, ''),
          example.body === undefined ? undefined : JSON.parse(real(example.body)),
        );
        return [];
      case 'answer': {
        const { status, body } = answer!;
        answer = null;
        return [
          ...(status === example.status ? [] : [`status ${example.status}, really ${status}`]),
          ...differences(example.body, body, 'body'),
        ];
      }
    }
  }

  test('happens as it is written', { timeout: 60_000 }, async () => {
    const wrong: string[] = [];
    for (const example of examples) {
      for (const difference of await happens(example)) wrong.push(`${at(example)}: ${difference}`);
    }
    expect(wrong).toEqual([]);
  });
});
